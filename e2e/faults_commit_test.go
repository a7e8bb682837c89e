package e2e

import (
	"fmt"
	"sync"
	"testing"
)

// A message is taken, and the worker dies before it hears of it.
func TestWorkerKilledBeforeItsCommit(t *testing.T) { holds(t, workerKilledBeforeItsCommit) }

func workerKilledBeforeItsCommit(t testing.TB, program string) []string {
	const recipients, kills = 120, 2
	c := clusterOf(t, program, 0)
	c.scheduler("scheduler")
	c.api(private)
	var victims sync.Mutex
	var victim *process
	receiver := newReceiverThat(t, func(n int) {
		if n%50 != 0 || n > kills*50 {
			return
		}
		victims.Lock()
		defer victims.Unlock()
		victim.kill() // the receipt is on disk, the answer is never read
	})
	replace := func(n int) *process {
		victims.Lock()
		defer victims.Unlock()
		victim = c.worker(fmt.Sprintf("worker%d", n), private)
		return victim
	}
	now := replace(0)
	c.awaitWorkers(1)
	campaign := c.addressed(recipients)
	c.connect(receiver)
	job := c.launch(campaign)
	for i := range kills {
		<-now.done
		now = replace(i + 1)
	}
	c.awaitEnded([]string{job})
	unknown := c.checkReceipts(receiver, recipients)
	if unknown < kills || unknown > kills*lanes {
		c.violated("%d deliveries are unknown after %d kills; at least one was in flight at each, and at most %d", unknown, kills, lanes)
	}
	if n := c.abandoned(); n != kills {
		c.violated("%d attempts were lost with their worker, want %d", n, kills)
	}
	return c.broken()
}
