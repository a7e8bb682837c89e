package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"fanfare"
)

const (
	lossUsers    = 20
	lossJobsEach = 9 // and so many streams of jobs, beside one of the user
	// transactions is how many write side by side. Each takes the jobs whose
	// number leaves the same remainder, so that all write for all users.
	transactions = 16
	lossPatience = 4 * time.Minute
)

// reader follows one stream in pieces and checks what it gets.
type reader struct {
	path, key string
	next      map[string]int64 // by job: the sequence that must come next; 0 for one of the first three
	left      int              // jobs that are not over
	lastID    string
	events    int
	pieces    int
	begin     func() // called at the first frame, closes begun
	begun     chan struct{}
}

func newReader(path, key string, jobs ...*running) *reader {
	r := &reader{path: path, key: key, next: map[string]int64{}, left: len(jobs), begun: make(chan struct{})}
	r.begin = sync.OnceFunc(func() { close(r.begun) })
	for _, job := range jobs {
		r.next[job.id] = 1
	}
	return r
}

// loseNothing writes events from many transactions at once while all streams
// are cut at random and resumed, and fails unless each got its own events all,
// once each and in order.
func (b *streamBench) loseNothing(ctx context.Context, events int) error {
	ctx, cancel := context.WithTimeout(ctx, lossPatience)
	defer cancel()
	owners, err := b.newOwners(ctx, lossUsers, lossJobsEach)
	if err != nil {
		return err
	}
	var jobs []*running
	var readers []*reader
	for _, o := range owners {
		ofUser := newReader("/api/events", o.key, o.jobs...)
		for _, job := range o.jobs {
			ofUser.next[job.id] = 0 // they have been queued and started before
			readers = append(readers, newReader("/api/jobs/"+job.id+"/events", o.key, job))
		}
		readers = append(readers, ofUser)
		jobs = append(jobs, o.jobs...)
	}
	each := (events+len(jobs)-1)/len(jobs) - 3 // beside the first two and the last
	g, ctx := errgroup.WithContext(ctx)
	for _, r := range readers {
		g.Go(func() error { return r.read(ctx, b.client) })
	}
	for _, r := range readers {
		select {
		case <-r.begun:
		case <-ctx.Done():
			return g.Wait()
		}
	}
	begun := time.Now()
	g.Go(func() error { return b.writeAll(ctx, jobs, each) })
	if err := g.Wait(); err != nil {
		return err
	}
	return reportLoss(readers, len(jobs)*(each+3), time.Since(begun))
}

// writeAll makes so many steps of each job and ends it.
func (b *streamBench) writeAll(ctx context.Context, jobs []*running, each int) error {
	g, ctx := errgroup.WithContext(ctx)
	for remainder := range transactions {
		var own []*running
		for i := remainder; i < len(jobs); i += transactions {
			own = append(own, jobs[i])
		}
		g.Go(func() error { return b.writeSome(ctx, own, each) })
	}
	return g.Wait()
}

func (b *streamBench) writeSome(ctx context.Context, jobs []*running, each int) error {
	for range each {
		steps := make([]fanfare.StepDone, len(jobs))
		for i, job := range jobs {
			steps[i] = job.next(each)
		}
		if err := b.commit(ctx, len(jobs), func(ctx context.Context) ([]fanfare.Job, error) { return b.store.RecordSteps(ctx, steps) }); err != nil {
			return err
		}
	}
	outcomes := make([]fanfare.Outcome, len(jobs))
	for i, job := range jobs {
		outcomes[i] = job.success()
	}
	return b.commit(ctx, len(jobs), func(ctx context.Context) ([]fanfare.Job, error) { return b.store.Finish(ctx, outcomes) })
}

// commit does one transition of jobs, now and then in a transaction that stays
// open for a while, and tells the listeners.
func (b *streamBench) commit(ctx context.Context, n int, do func(context.Context) ([]fanfare.Job, error)) error {
	var jobs []fanfare.Job
	err := b.store.Atomic(ctx, func(ctx context.Context) (err error) {
		jobs, err = do(ctx)
		if rand.IntN(50) == 0 {
			time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
		}
		return err
	})
	if err == nil && len(jobs) != n {
		err = fmt.Errorf("%d of %d jobs were changed", len(jobs), n)
	}
	b.hub.Publish(ctx, jobs...)
	return err
}

// read follows the stream in pieces until all its jobs are over.
func (r *reader) read(ctx context.Context, client *client) (err error) {
	for r.left > 0 {
		if ctx.Err() != nil {
			return fmt.Errorf("%s: %d jobs did not end: %w", r.path, r.left, ctx.Err())
		}
		r.pieces++
		piece, cancel := context.WithTimeout(ctx, time.Duration(200+rand.IntN(2000))*time.Millisecond)
		status, _ := client.follow(piece, r.path, r.key, r.lastID, func(f frame) bool {
			err = r.take(f)
			return err == nil && r.left > 0
		})
		cancel()
		if err != nil {
			return err
		}
		if status == http.StatusNoContent || status >= http.StatusBadRequest {
			return fmt.Errorf("%s answered with %d before its last event", r.path, status)
		}
	}
	return nil
}

func (r *reader) take(f frame) error {
	if f.id != "" {
		r.lastID = f.id
	}
	r.begin()
	if f.id == "" || f.event == "jobs.snapshot" {
		return nil
	}
	event, err := f.decode()
	if err != nil {
		return err
	}
	want := r.next[event.JobID]
	if want == 0 {
		want = min(event.Sequence, 3)
	}
	if event.Sequence != want {
		return fmt.Errorf("%s: event %d of job %s came where %d had to", r.path, event.Sequence, event.JobID, want)
	}
	r.next[event.JobID] = want + 1
	r.events++
	if event.Job.Done {
		r.left--
	}
	return nil
}

func reportLoss(readers []*reader, written int, took time.Duration) error {
	read, cuts := 0, 0
	for _, r := range readers {
		read, cuts = read+r.events, cuts+r.pieces-1
	}
	table := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(table, "durable events\tstreams\tcuts\tframes read\tlost\tevents/s\n%d\t%d\t%d\t%d\t0\t%.0f\n",
		written, len(readers), cuts, read, float64(written)/took.Seconds())
	return table.Flush()
}
