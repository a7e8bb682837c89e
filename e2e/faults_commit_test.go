package e2e

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// A message is taken, and the worker dies before it hears of it: once while
// others are in flight, and once when nothing else is left to send.
func TestWorkerKilledBeforeItsCommit(t *testing.T) { holds(t, workerKilledBeforeItsCommit) }

func workerKilledBeforeItsCommit(t testing.TB, program string) []string {
	const recipients, kills = 120, 2
	c := clusterOf(t, program, 0)
	c.scheduler("scheduler")
	c.api(private)
	var guard sync.Mutex
	var worker *process
	var victims []string // recipients
	first := 0           // deliveries of unknown fate after the first kill
	receiver := newReceiverThat(t, func(n int, to string) {
		if n%50 != 0 || n > kills*50 {
			return
		}
		if n == kills*50 {
			c.awaitLastInFlight()
			first = c.count(`SELECT count(*) FROM deliveries WHERE status = 'unknown'`)
		}
		guard.Lock()
		defer guard.Unlock()
		victims = append(victims, to)
		worker.kill() // the receipt is on disk, the answer is never read
	})
	replace := func(n int) *process {
		guard.Lock()
		defer guard.Unlock()
		worker = c.worker(fmt.Sprintf("worker%d", n), private)
		return worker
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
	if first < 1 || first > lanes || unknown != first+1 {
		c.violated("%d deliveries are unknown after the first kill, at which at least one and at most %d were in flight, "+
			"and %d after the second, at which just one was", first, lanes, unknown)
	}
	told := c.deliveries()
	for _, to := range victims {
		if told[to] != "unknown" {
			c.violated("the message to %s killed its worker, and its delivery is %s", to, told[to])
		}
	}
	if n := c.abandoned(); n != kills {
		c.violated("%d attempts were lost with their worker, want %d", n, kills)
	}
	c.checkAllEnded()
	return c.broken()
}

// awaitLastInFlight waits until a single message is in flight and no other is
// left to send, for less than our mail connector waits for an answer.
func (c *cluster) awaitLastInFlight() {
	if !soon(25*time.Second, func() bool {
		return c.count(`SELECT count(*) FROM deliveries WHERE status IN ('pending', 'sending')`) == 1
	}) {
		c.violated("the last message was not the only one in flight")
	}
}
