package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"fanfare"
	"fanfare/store"
)

// owner is a user with an API key and jobs that run under our leases.
type owner struct {
	id, key string
	jobs    []*running
}

// running is a job whose events we write.
type running struct {
	id    string
	lease fanfare.Lease
	steps int
}

// next is the job's next step, which makes one event.
func (r *running) next(total int) fanfare.StepDone {
	r.steps++
	return fanfare.StepDone{
		Lease: r.lease, Name: "step " + strconv.Itoa(r.steps), Output: json.RawMessage(`{}`),
		Progress: fanfare.Progress{Step: "writing", Completed: r.steps, Total: total},
	}
}

func (r *running) success() fanfare.Outcome {
	return fanfare.Outcome{Lease: r.lease, Status: fanfare.JobSucceeded, Result: json.RawMessage(`{}`)}
}

// newOwners makes users with so many running jobs each.
func (b *streamBench) newOwners(ctx context.Context, n, jobsEach int) ([]*owner, error) {
	owners := make([]*owner, n)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i := range owners {
		g.Go(func() (err error) {
			owners[i], err = b.newOwner(ctx, jobsEach)
			return err
		})
	}
	return owners, g.Wait()
}

func (b *streamBench) newOwner(ctx context.Context, jobs int) (*owner, error) {
	user, err := b.store.CreateUser(ctx, fanfare.User{Name: "Bench", Email: store.NewID() + "@fanfare.example", Role: fanfare.RoleUser})
	if err != nil {
		return nil, err
	}
	key, digest := b.tokens.NewKey()
	if _, err := b.store.CreateAPIKey(ctx, user.ID, "bench", digest); err != nil {
		return nil, err
	}
	o := &owner{id: user.ID, key: key}
	for range jobs {
		job, err := b.run(ctx, user.ID)
		if err != nil {
			return nil, err
		}
		o.jobs = append(o.jobs, job)
	}
	return o, nil
}

// run submits a job that no worker knows of, and claims it.
func (b *streamBench) run(ctx context.Context, userID string) (*running, error) {
	job, err := b.store.Submit(ctx, fanfare.NewJob{
		UserID: userID, Kind: "campaign.generate", Queue: queueName, MaxAttempts: 1, Expiry: time.Hour, Payload: json.RawMessage(`{}`),
	})
	if err != nil {
		return nil, err
	}
	lease := fanfare.Lease{JobID: job.ID, Token: store.NewID()}
	claimed, err := b.store.Claim(ctx, "bench", []fanfare.Lease{lease}, time.Hour)
	if err != nil {
		return nil, err
	}
	if len(claimed) != 1 {
		return nil, fmt.Errorf("job %s could not be claimed", job.ID)
	}
	return &running{id: job.ID, lease: lease}, nil
}
