package api_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"

	"fanfare"
	"fanfare/internal/await"
)

// TestNoButtonLosesAJob presses buttons at random, right ones and wrong ones,
// while workers work, fail and retry, and Redis is emptied now and then. Then
// the relay and a worker bring every job to an end that is not over.
func TestNoButtonLosesAJob(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			dice := rand.New(rand.NewPCG(seed, 1))
			var calm atomic.Bool
			leaves := []fanfare.JobStatus{fanfare.JobSucceeded, fanfare.JobFailed, fanfare.JobRetrying, fanfare.JobRetrying}
			d.q.Serve("ai", d.work(t, func() fanfare.JobStatus {
				if calm.Load() {
					return fanfare.JobSucceeded
				}
				return leaves[rand.IntN(len(leaves))]
			}))
			var tasks []string
			pressed := map[int]int{}
			for range 150 {
				for _, state := range []string{"active", "pending", "scheduled", "retry", "archived"} {
					tasks = append(tasks, d.tasks(t, state)...)
				}
				slices.Sort(tasks)
				tasks = slices.Compact(tasks)
				switch n := dice.IntN(20); {
				case n < 6 || len(tasks) == 0:
					submit(t, d.ada)
				case n < 7:
					d.Relay(t)
				case n < 8:
					d.empty(t)
				default:
					pressed[d.pressAny(t, dice, tasks)]++
				}
			}
			if pressed[http.StatusOK] == 0 || pressed[http.StatusConflict] == 0 || len(pressed) > 2 {
				t.Errorf("presses were answered %v", pressed)
			}
			calm.Store(true)
			d.admin.Do(t, "POST "+dashboard+"/api/queues/ai:resume", nil)
			await.True(t, "every job is over", func() bool {
				d.Relay(t)
				d.press(t, d.admin, "scheduled", "run", "all") // or they would wait for their time
				return d.Count(t, `SELECT count(*) FROM jobs WHERE finished_at IS NULL`) == 0 && d.working.Load() == 0
			})
			// Nobody is canceled but by a button, and nothing is retried but by one.
			for _, c := range []struct{ what, count string }{
				{"jobs were canceled without a record", `SELECT count(*) FROM jobs WHERE status = 'canceled' AND NOT EXISTS (SELECT 1 FROM audit_logs WHERE resource = jobs.id::text AND action = 'job.cancel')`},
				{"jobs were retried without a record", `SELECT count(*) FROM jobs WHERE retry_of IS NOT NULL AND NOT EXISTS (SELECT 1 FROM audit_logs WHERE resource = jobs.id::text AND action = 'job.retry')`},
				{"attempts were started twice", `SELECT count(*) FROM (SELECT 1 FROM audit_logs WHERE action = 'job.attempt.start' GROUP BY resource, metadata->>'attempt' HAVING count(*) > 1) twice`},
				{"attempts did not end", `SELECT abs((SELECT count(*) FROM audit_logs WHERE action = 'job.attempt.start') - (SELECT count(*) FROM audit_logs WHERE action = 'job.attempt.end'))`},
			} {
				if n := d.Count(t, c.count); n != 0 {
					t.Errorf("%d %s", n, c.what)
				}
			}
		})
	}
}

// empty is a Redis that has lost everything.
func (d *desk) empty(t *testing.T) {
	t.Helper()
	if err := d.Redis.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if err := d.q.Restore(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// pressAny presses one button of those that there are, about tasks that may be
// in another state, or gone.
func (d *desk) pressAny(t *testing.T, dice *rand.Rand, tasks []string) (status int) {
	t.Helper()
	if dice.IntN(8) == 0 {
		verb := []string{"pause", "resume"}[dice.IntN(2)]
		return d.admin.Do(t, "POST "+dashboard+"/api/queues/ai:"+verb, nil).Status
	}
	all := append(buttons(), button{state: "retry", verb: "run"}, button{state: "retry", verb: "delete"}, button{state: "completed", verb: "delete"})
	b := all[dice.IntN(len(all))]
	scope := []string{"one", "one", "batch", "all"}[dice.IntN(4)]
	some := []string{tasks[dice.IntN(len(tasks))], tasks[dice.IntN(len(tasks))]}
	return d.press(t, d.admin, b.state, b.verb, scope, some...).Status
}
