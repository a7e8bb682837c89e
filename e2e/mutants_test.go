//go:build faults && linux

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
	return slices.Concat(jobMutants(), launchMutants(), redisMutants(), otherMutants())
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
			{"jobs/persist.go", `fanfare.ErrorCode(err) != fanfare.CodeUnavailable ||`, `fanfare.ErrorCode(err) != "never" ||`},
		}, postgresRestarted, "attempts were taken from workers that live"},
		{"with a reaper that trusts its clock", []edit{
			{"scheduler/reaper.go", `return now.After(r.quiet)`, `return true`},
		}, postgresRestarted, "attempts were taken from workers that live"},
		{"with claims that are made again", []edit{
			{"store/attempts.go", `err := s.Atomic(ctx, func(ctx context.Context) error {`, `err := func(do func(context.Context) error) error { return do(ctx) }(func(ctx context.Context) error {`},
			{"worker/worker.go", `return w.claims.do(ctx, newLease(jobID))`, `return w.claims.do(ctx, lease)`},
		}, claimsUnheard, "attempts without exactly one start and one end"},
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
		{"with deliveries of unknown fate that are sent again", []edit{
			{"jobs/launch_send.go", "	default:\n\t\treturn fanfare.Settlement{ID: m.ID, Status: fanfare.DeliveryUnknown", "	default:\n\t\treturn fanfare.Settlement{ID: m.ID, Status: fanfare.DeliveryPending"},
		}, workerKilledBeforeItsCommit, "got 2 messages"},
		{"with deliveries that are pending while they are sent", pendingWhileSent, workerKilledWhileItSends, "got 2 messages"},
		{"with deliveries that are pending while they are sent, under mixed load", pendingWhileSent, func(t testing.TB, program string) []string {
			return soakedBy(t, program, kindsOfFault()[:1], 800, 25)
		}, "got 2 messages"},
		{"without lease tokens on the ledger", []edit{
			{"store/launches.go", "lease_token = $2 FOR SHARE", "$2::uuid IS NOT NULL FOR SHARE"},
		}, workerPausedWhileItSends, "deliveries that a lost attempt settled"},
		{"without lease tokens on steps", []edit{
			{"store/transition.go", "WHERE j.id = i.job_id AND j.lease_token = i.token\n\t\tAND NOT EXISTS", "WHERE j.id = i.job_id\n\t\tAND NOT EXISTS"},
		}, workerPausedWhileItSends, "impossible story"},
	}
}

func TestScenariosNoticeMissingGuards(t *testing.T) {
	for _, m := range mutants() {
		t.Run(strings.ReplaceAll(m.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
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

func redisMutants() []mutant {
	claimsAnything := []edit{
		{"store/transition.go", `j.status IN ('scheduled', 'queued', 'retrying') AND j.deadline > now()`, `j.deadline > now()`},
		{"store/transition.go", `attempt = j.attempt + 1, run_at = NULL,`, `attempt = j.attempt + 1, run_at = NULL, finished_at = NULL, result = NULL, error = NULL,`},
	}
	noRelay := []edit{
		{"scheduler/relay.go", `r.Outbox.Uncarried(ctx, relayBatch, relayAgain)`, `r.Outbox.Uncarried(ctx, 0, relayAgain)`},
	}
	return []mutant{
		{"with claims of what is over", claimsAnything, acknowledgementsCut, "final events"},
		{"with claims of what runs, a clock ahead", claimsAnything, func(t testing.TB, program string) []string {
			return workersClockOff(t, program, skewed(t, claimsAnything...), "5")
		}, "attempts without exactly one start and one end"},
		{"with claims of what runs, a clock behind", claimsAnything, func(t testing.TB, program string) []string {
			return workersClockOff(t, program, skewed(t, claimsAnything...), "-5")
		}, "attempts without exactly one start and one end"},
		{"without a relay, on a Redis that forgets all", noRelay, redisForgetsAll, "jobs whose tasks Redis lost were not over"},
		{"without a relay, on a Redis that forgets some", noRelay, redisForgetsSome, "jobs whose tasks Redis lost were not over"},
		{"without a relay, on a Redis that forgets nothing", noRelay, redisForgetsNothing, "jobs that came while Redis was away were not over"},
		{"with lost jobs that keep their task's number", []edit{
			{"store/transition.go", "dispatch = j.dispatch + CASE WHEN due.next = 'retrying' THEN 1 ELSE 0 END,\n", "\n"},
			{"scheduler/relay.go", `	if err != nil || added {`, `	if added || err == nil {`},
		}, leaseSetDeleted, "accepted jobs were not over"},
		{"with answers that wait for Redis's memory", []edit{
			{"api/idempotency.go", `		s.carry(ctx, answer.job)`, `		_, err = s.Queue.Enqueue(ctx, answer.job)`},
		}, redisOutOfMemory, "submissions were refused"},
		{"without a relay, on a Redis that was full", noRelay, redisOutOfMemory, "accepted jobs were not over"},
	}
}

func otherMutants() []mutant {
	return []mutant{
		{"with schedules that nobody holds", []edit{
			{"store/schedules.go", "LIMIT 1 FOR UPDATE OF s, c SKIP LOCKED", "LIMIT 1"},
			{"store/schedules.go", "VALUES ($1, $2, $3, 'missed') ON CONFLICT ON CONSTRAINT schedule_occurrences_once DO NOTHING", "VALUES (uuidv7(), $1::text || $2::text, $3, 'missed')"},
			{"store/schedules.go", "WHERE id = $1 AND next_at = $2", "WHERE id = $1 AND $2::timestamptz IS NOT NULL"},
		}, fiveSchedulersOnePaused, "occurrences"},
		{"without a reaper under mixed load", []edit{
			{"scheduler/reaper.go", `r.leases.Reap(ctx, reapBatch)`, `r.leases.Reap(ctx, 0)`},
		}, workersKilledAgainAndAgain, "accepted jobs were not over"},
		{"with reads that wait for a frozen server", []edit{
			{"store/store.go", `healthLimit      = 700 * time.Millisecond`, `healthLimit      = time.Minute`},
		}, postgresFrozen, "GET /health/ready was "},
		{"with a full database that is no outage", []edit{
			{"store/errors.go", `case "08", "53", "57",`, `case "08", "57",`},
		}, connectionsExhausted, "POST /api/campaign was answered 500"},
		{"with a full disk that is no outage", []edit{
			{"store/errors.go", `case "08", "53", "57",`, `case "08", "57",`},
		}, diskFull, "while the disk was full"},
		{"with answers of any length", []edit{
			{"ai/transport.go", `maxAnswerSize = 4 << 20`, `maxAnswerSize = 4 << 30`},
		}, modelMisbehaves, "the worker took"},
		{"with a model that is waited for", []edit{
			{"ai/call.go", `context.WithTimeoutCause(ctx, w.config.Timeout, errCallTimeout)`, `context.WithCancel(context.WithoutCancel(ctx)); _ = errCallTimeout`},
		}, modelMisbehaves, "were not over"},
		{"with attempts that take their time", []edit{
			{"worker/worker.go", `context.WithTimeoutCause(ctx, definition.Timeout(w.config.Settings), errTimeout)`, `context.WithCancel(ctx); _ = errTimeout`},
		}, modelMisbehaves, "longer than its timeout"},
		{"with answers that are believed", []edit{
			{"content.go", `SMSTextMax          = 160`, `SMSTextMax          = 16000`},
		}, modelMisbehaves, "campaigns whose text breaks the rules"},
		{"without a drain of 200", []edit{
			{"app/worker.go", `	w.Drain(limit)`, `	_ = limit`},
		}, terminatedWith200InFlight, "still leased to a worker that has stopped"},
		{"with patience for a database that is away", []edit{
			{"worker/worker.go", `const lastWrites = 12 * time.Second`, `const lastWrites = time.Hour`},
		}, terminatedWhilePostgresHangs, "to stop, and had"},
		{"with patience for a Redis that hangs", []edit{
			{"queue/server.go", `shutdownLimit = shutdownGrace + 2*time.Second`, `shutdownLimit = time.Hour`},
		}, terminatedWhileRedisHangs, "to stop, and had"},
		{"with a migration that holds what others need", []edit{
			{"migrations/00017_renewals.sql", "-- +goose Up\n", "-- +goose Up\nLOCK TABLE jobs; SELECT pg_sleep(20);\n"},
		}, upgraded, "were refused during the upgrade"},
		{"with a migration that takes leases away", []edit{
			{"migrations/00017_renewals.sql", "-- +goose Up\n", "-- +goose Up\nUPDATE jobs SET lease_token = gen_random_uuid() WHERE status = 'running';\n"},
		}, upgraded, "attempts were lost in the upgrade"},
		{"with packed bodies", []edit{
			{"api/body.go", `encoding != "" && encoding != "identity"`, `encoding == "any"`},
		}, gzipBomb, "with a bomb"},
		{"with patience for headers", []edit{
			{"app/api.go", "		ReadHeaderTimeout: 10 * time.Second,\n", ""},
		}, slowLoris, "slow connections were still open: 300 in their headers, 0 in their bodies"},
		{"with patience for bodies", []edit{
			{"api/body.go", `bodyTimeout = 15 * time.Second`, `bodyTimeout = time.Hour`},
		}, slowLoris, "slow connections were still open: 0 in their headers, 300 in their bodies"},
		{"with patience for readers of streams", []edit{
			{"api/sse.go", `time.Now().Add(writeLimit)`, `time.Now().Add(writeLimit + time.Hour)`},
		}, thousandStalledReaders, "connections of stalled readers were still open"},
		{"with patience for readers of answers", []edit{
			{"api/request.go", `const answerTime = time.Minute`, `const answerTime = time.Hour`},
		}, thousandStalledReaders, "connections of stalled readers were still open"},
	}
}
