//go:build faults

package e2e

import (
	"slices"
	"strings"
	"testing"
)

// mutant is the program without one of its guards, and what a scenario says of
// it: that is the test of the test.
type mutant struct {
	name     string
	edits    []edit
	scenario scenario
	says     string // is part of a violation that the scenario has to find
}

func mutants() []mutant {
	return slices.Concat(jobMutants(), launchMutants())
}

func jobMutants() []mutant {
	return []mutant{
		{"without the reaper", []edit{
			{"scheduler/reaper.go", `r.leases.Reap(ctx, reapBatch)`, `r.leases.Reap(ctx, 0)`},
		}, workerKilled, "accepted jobs were not over"},
		{"without lease tokens", []edit{
			{"store/transition.go", "WHERE j.id = i.job_id AND j.lease_token = i.token\n\tRETURNING j AS job, 'job.' || i.next", "WHERE j.id = i.job_id\n\tRETURNING j AS job, 'job.' || i.next"},
			{"store/transition.go", "WHERE j.id = i.job_id AND j.lease_token = i.token\n\t\tAND NOT EXISTS", "WHERE j.id = i.job_id\n\t\tAND NOT EXISTS"},
			{"store/transition.go", "ON j.id = i.job_id AND j.lease_token = i.token\n\tJOIN job_steps", "ON j.id = i.job_id\n\tJOIN job_steps"},
			{"worker/worker.go", "w.stop(lease, errLeaseLost)", ""}, // the heartbeat is quicker, as a rule
		}, workerPausedPastItsLease, "final events"},
		{"without the relay", []edit{
			{"scheduler/relay.go", `r.Outbox.Uncarried(ctx, relayBatch, relayAgain)`, `r.Outbox.Uncarried(ctx, 0, relayAgain)`},
		}, redisEmptiedUnderLoad, "accepted jobs were not over"},
		{"with answers that wait for Redis", []edit{
			{"api/idempotency.go", `		s.carry(ctx, answer.job)`, `		_, err = s.Queue.Enqueue(ctx, answer.job)`},
		}, redisGoneWhileAccepting, "submissions were refused"},
		{"with outcomes that are written once", []edit{
			{"jobs/persist.go", `fanfare.ErrorCode(err) != fanfare.CodeUnavailable ||`, `true ||`},
		}, postgresRestarted, "attempts were taken from workers that live"},
		{"with a reaper that trusts its clock", []edit{
			{"scheduler/reaper.go", `return now.After(r.quiet)`, `return true`},
		}, postgresRestarted, "attempts were taken from workers that live"},
		{"with answers that are not kept", []edit{
			{"api/idempotency.go", `return answer, s.keep(ctx, key, answer)`, `return answer, nil`},
		}, repliesOfPostgresLost, "jobs that nobody was told of"},
		{"without a drain", []edit{
			{"app/worker.go", `	w.Drain(limit)`, `	_ = limit`},
		}, terminatedUnderLoad, "still leased to workers that have stopped"},
	}
}

func launchMutants() []mutant {
	pendingWhileSent := []edit{
		{"store/ledger.go", `ELSE 'sending' END`, `ELSE 'pending' END`},
		{"store/ledger.go", "WHERE d.id = i.id AND d.status = 'sending'\n", "WHERE d.id = i.id AND d.status = 'pending'\n"},
	}
	return []mutant{
		{"with deliveries that are pending while they are sent", pendingWhileSent, workerKilledWhileItSends, "got 2 messages"},
	}
}

func TestScenariosNoticeMissingGuards(t *testing.T) {
	for _, m := range mutants() {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			found := m.scenario(t, build(t, m.edits...))
			for _, violation := range found {
				t.Logf("noticed: %s", violation)
			}
			if !slices.ContainsFunc(found, func(v string) bool { return strings.Contains(v, m.says) }) {
				t.Errorf("%s nothing was said of %q", m.name, m.says)
			}
		})
	}
}
