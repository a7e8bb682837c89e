package e2e

import (
	"syscall"
	"testing"
	"time"
)

// A worker in the middle of a launch hangs for longer than its lease, and comes
// back: once while another goes on with the launch, and once after its end.
func TestWorkerPausedWhileItSends(t *testing.T) { holds(t, workerPausedWhileItSends) }

func workerPausedWhileItSends(t testing.TB, program string) []string {
	const recipients, pauses = 600, 2
	c := clusterOf(t, program, 0)
	c.scheduler("scheduler")
	c.api(private)
	receiver := newReceiver(t, 100*time.Millisecond)
	workers := []*process{c.worker("worker1", private), c.worker("worker2", private)}
	c.awaitWorkers(len(workers))
	c.connect(receiver)
	campaigns := []string{c.addressed(recipients), c.addressed(1)}
	if err := c.address(t.Context(), campaigns[1], "late", recipients); err != nil {
		t.Fatal(err)
	}

	job := c.launch(campaigns[0])
	paused := c.pauseAfter(receiver, recipients/4, workers)
	goal := receiver.count() + 2*lanes
	eventually(t, patience, "another worker to send", func() bool { return receiver.count() >= goal })
	paused.signal(syscall.SIGCONT)
	c.awaitEnded([]string{job})

	late := c.launch(campaigns[1])
	paused = c.pauseAfter(receiver, receiver.count()+recipients/4, workers)
	c.awaitEnded([]string{late})
	paused.signal(syscall.SIGCONT)
	for _, w := range workers {
		c.awaitHeartbeat(w)
		c.stops(w, 40*time.Second)
	}
	unknown := c.checkReceipts(receiver, 2*recipients)
	if unknown > pauses*lanes {
		c.violated("%d deliveries are unknown; at most %d were in flight at %d pauses", unknown, pauses*lanes, pauses)
	}
	if n := c.abandoned(); n != pauses {
		c.violated("%d attempts were lost with their worker, want %d", n, pauses)
	}
	c.checkStaleDeliveries()
	c.checkAllEnded()
	return c.broken()
}

// pauseAfter stops whichever worker sends, once there are so many receipts.
func (c *cluster) pauseAfter(r *receiver, receipts int, workers []*process) (paused *process) {
	c.t.Helper()
	eventually(c.t, patience, "the launch to be under way", func() bool { return r.count() >= receipts })
	for _, w := range workers {
		if c.runningOn(w) > 0 {
			w.signal(syscall.SIGSTOP)
			return w
		}
	}
	c.t.Fatal("no worker runs the launch")
	return nil
}

// checkStaleDeliveries: nobody wrote of a message, under a lease that had been
// taken away, that it was sent. (What was in flight then is settled by the next
// attempt, for mail servers as unknown.)
func (c *cluster) checkStaleDeliveries() {
	c.check(nil, []countCheck{
		{"deliveries that a lost attempt settled", `SELECT count(*) FROM deliveries d
			JOIN audit_logs e ON e.action = 'job.attempt.end' AND e.metadata->>'lease' = d.lease::text
			WHERE e.metadata->>'outcome' = 'abandoned' AND d.status = 'sent' AND d.updated_at > e.created_at
				AND $1::uuid[] IS NULL`, 0},
	})
}
