package jobs

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"fanfare"
)

// By is who changes a job from outside, and from where: its owner, or an
// operator.
type By struct {
	Origin   fanfare.Origin
	Metadata map[string]any // more of the audit records; for an operator, which one
}

// ChangeStore is what changing a job from outside needs of the database.
type ChangeStore interface {
	// Cancel returns the jobs that it made a difference to.
	Cancel(ctx context.Context, userID string, ids ...string) ([]fanfare.Job, error)
	Retry(ctx context.Context, userID, id string, resendUnknown bool) (fanfare.Job, error)
	RunNow(ctx context.Context, job fanfare.Job) (fanfare.Job, bool, error)
	DeliveryCounts(ctx context.Context, launchID string) ([]fanfare.DeliveryCount, error)
	Audit(ctx context.Context, record fanfare.AuditRecord) error
}

// The functions below run in a transaction of the caller, and write an audit
// record of the job's owner for each job that they change. The caller tells of
// the jobs, and enqueues those that are to run, after the commit: a hint that
// comes before it is a lost one.

// Cancel cancels jobs of one user, and returns those that it made a difference to.
func Cancel(ctx context.Context, store ChangeStore, by By, userID string, ids ...string) ([]fanfare.Job, error) {
	canceled, err := store.Cancel(ctx, userID, ids...)
	if err != nil {
		return nil, err
	}
	for _, job := range canceled {
		if err := store.Audit(ctx, by.record(fanfare.ActionJobCancel, job, job.ID, nil)); err != nil {
			return nil, err
		}
	}
	return canceled, nil
}

// Retry submits a user's job anew. It fails with fanfare.CodeNotRetryable, whose
// message says why, or CodeNotFound. resendUnknown lets a launch also send what
// may have been sent.
func Retry(ctx context.Context, store ChangeStore, by By, userID, id string, resendUnknown bool) (fanfare.Job, error) {
	job, err := store.Retry(ctx, userID, id, resendUnknown)
	if err != nil {
		return fanfare.Job{}, err
	}
	if job.Kind == LaunchCampaign.Name {
		if err := auditResend(ctx, store, by, job); err != nil {
			return fanfare.Job{}, err
		}
	}
	return job, store.Audit(ctx, by.record(fanfare.ActionJobRetry, job, job.ID, map[string]any{"retryOf": id}))
}

// RunNow lets a job that waits run at once. It reports false, and has done
// nothing, where the job is not as it was read any more.
func RunNow(ctx context.Context, store ChangeStore, by By, job fanfare.Job) (fanfare.Job, bool, error) {
	due, done, err := store.RunNow(ctx, job)
	if err != nil || !done {
		return fanfare.Job{}, false, err
	}
	return due, true, store.Audit(ctx, by.record(fanfare.ActionJobRun, due, due.ID, nil))
}

// auditResend leaves a record of who lets a launch send what may have been sent
// already.
func auditResend(ctx context.Context, store ChangeStore, by By, job fanfare.Job) error {
	var payload LaunchCampaignPayload
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return fmt.Errorf("decoding the payload of a launch: %w", err)
	}
	if !payload.ResendUnknown {
		return nil
	}
	counts, err := store.DeliveryCounts(ctx, payload.LaunchID)
	if err != nil {
		return err
	}
	unknown := 0
	for _, count := range counts {
		if count.Status == fanfare.DeliveryUnknown {
			unknown += count.Count
		}
	}
	return store.Audit(ctx, by.record(fanfare.ActionDeliveryResend, job, payload.LaunchID, map[string]any{"deliveries": unknown}))
}

func (by By) record(action string, job fanfare.Job, resource string, more map[string]any) fanfare.AuditRecord {
	metadata := maps.Clone(by.Metadata)
	if metadata == nil {
		metadata = map[string]any{}
	}
	if resource == job.ID {
		metadata["kind"] = job.Kind
	}
	maps.Copy(metadata, more)
	return fanfare.AuditRecord{UserID: job.UserID, Action: action, Resource: resource, Metadata: metadata, Origin: by.Origin}
}
