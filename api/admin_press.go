package api

import (
	"context"
	"fmt"
	"maps"

	"fanfare"
	"fanfare/jobs"
)

// What the dashboard's buttons do. They speak of tasks, and act on jobs: a task
// alone would be brought back by the relay, or ignored by the worker.
//
//	            job waits           runs             is over             is not there
//	cancel      canceled            canceled         refused             refused
//	delete      canceled            refused          entry removed       entry removed
//	run         runs now            refused          archived: retried   refused
//	archive     refused, always
//
// An entry of an earlier dispatch says nothing about a job that waits with a
// later one: it is only removed. A queue can be paused and resumed, never deleted.

// byOperator is the admin of this request. The records are their owner's to
// read, so they name the admin, and not where the admin is.
func byOperator(ctx context.Context) jobs.By {
	return jobs.By{
		Origin:   fanfare.Origin{UserAgent: "the operators' dashboard"},
		Metadata: map[string]any{"operator": user(ctx).ID, "requestId": requestFrom(ctx).id},
	}
}

func refused(format string, args ...any) error {
	return fanfare.Errorf(fanfare.CodeNotPossible, format, args...)
}

// pressTask does to one task's job what a button says, and returns a sentence
// on what was done.
func (s *Server) pressTask(ctx context.Context, press fanfare.Press, task fanfare.Task) (string, error) {
	var job *fanfare.Job
	if task.JobID != "" {
		found, err := s.Store.AnyJob(ctx, task.JobID)
		switch {
		case err == nil:
			job = &found
		case fanfare.ErrorCode(err) != fanfare.CodeNotFound:
			return "", err
		}
	}
	switch {
	case press.Verb == fanfare.PressArchive:
		return "", refused("Nothing is archived by hand: what becomes of a job stands in the database, and a task set aside would only be brought back. Delete cancels the job.")
	case press.Verb == fanfare.PressDelete:
		return s.deleteTask(ctx, press.Queue, task, job)
	case job == nil:
		return "", refused("The job of this task is not in the database any more, so there is nothing to %s. Delete removes the entry.", press.Verb)
	case press.Verb == fanfare.PressCancel:
		return s.cancelTask(ctx, *job)
	default:
		return s.runTask(ctx, press, task, *job)
	}
}

func (s *Server) cancelTask(ctx context.Context, job fanfare.Job) (string, error) {
	switch {
	case job.Status.Done():
		return "", refused("The job is over already: it is %s.", job.Status)
	case job.CancelRequested:
		return "", refused("The job was told to stop before; it does so at its next step.")
	}
	var canceled []fanfare.Job
	err := s.Store.Atomic(ctx, func(ctx context.Context) (err error) {
		canceled, err = jobs.Cancel(ctx, s.Store, byOperator(ctx), job.UserID, job.ID)
		return err
	})
	switch {
	case err != nil:
		return "", err
	case len(canceled) == 0:
		return "", refused("The job has ended or was told to stop in this very moment.")
	}
	s.tellCanceled(ctx, canceled)
	if canceled[0].Status == fanfare.JobRunning {
		return fmt.Sprintf("Job %s was told to stop; it does so within seconds.", job.ID), nil
	}
	return fmt.Sprintf("Job %s is canceled.", job.ID), nil
}

func (s *Server) deleteTask(ctx context.Context, queue string, task fanfare.Task, job *fanfare.Job) (string, error) {
	switch {
	case job == nil || job.Status.Done() || (job.Status.Waiting() && task.Dispatch != job.Dispatch):
		return s.tidy(ctx, queue, task, job)
	case job.Status == fanfare.JobRunning:
		return "", refused("The job is running. Cancel it in the list of active tasks.")
	}
	message, err := s.cancelTask(ctx, *job)
	if err == nil {
		s.forget(ctx, queue, task)
	}
	return message, err
}

// tidy removes an entry whose job it makes no difference to.
func (s *Server) tidy(ctx context.Context, queue string, task fanfare.Task, job *fanfare.Job) (string, error) {
	record := audited(ctx, fanfare.ActionQueueTidy, "", map[string]any{"queue": queue, "task": task.ID})
	message := "The entry was removed; its job is not in the database any more."
	if job != nil {
		by := byOperator(ctx)
		maps.Copy(record.Metadata, by.Metadata)
		record.UserID, record.Resource, record.Origin = job.UserID, job.ID, by.Origin
		message = fmt.Sprintf("The entry was removed; job %s stays %s.", job.ID, job.Status)
	}
	err := s.Store.Atomic(ctx, func(ctx context.Context) error {
		if err := s.Store.Audit(ctx, record); err != nil {
			return err
		}
		removed, err := s.Dashboard.Forget(ctx, queue, task.ID)
		if err == nil && !removed {
			err = refused("There is no such task any more.")
		}
		return err
	})
	return message, err
}

// forget removes an entry whose job was dealt with. Should that fail, the entry
// stays and does nothing.
func (s *Server) forget(ctx context.Context, queue string, task fanfare.Task) {
	if _, err := s.Dashboard.Forget(ctx, queue, task.ID); err != nil {
		s.Logger.WarnContext(ctx, "an entry of the dashboard could not be removed", "error", err)
	}
}

func (s *Server) runTask(ctx context.Context, press fanfare.Press, task fanfare.Task, job fanfare.Job) (string, error) {
	switch {
	case job.Status == fanfare.JobRunning:
		return "", refused("The job is running already.")
	case job.Status.Done() && press.State != fanfare.TaskArchived:
		return "", refused("The job is over: it is %s. Delete removes the entry.", job.Status)
	case job.Status.Done():
		return s.retryTask(ctx, press.Queue, task, job)
	case task.Dispatch != job.Dispatch:
		return "", refused("This entry is an old one: the job waits under the number %d. Delete removes the entry.", job.Dispatch)
	}
	var due fanfare.Job
	err := s.Store.Atomic(ctx, func(ctx context.Context) error {
		now, done, err := jobs.RunNow(ctx, s.Store, byOperator(ctx), job)
		if err == nil && !done {
			err = refused("The job has started, ended or been carried anew in this very moment.")
		}
		due = now
		return err
	})
	if err != nil {
		return "", err
	}
	s.carry(ctx, due)
	s.forget(ctx, press.Queue, task)
	return fmt.Sprintf("Job %s runs as soon as a worker is free and the queue is not paused.", job.ID), nil
}

func (s *Server) retryTask(ctx context.Context, queue string, task fanfare.Task, job fanfare.Job) (string, error) {
	var retried fanfare.Job
	err := s.Store.Atomic(ctx, func(ctx context.Context) (err error) {
		retried, err = jobs.Retry(ctx, s.Store, byOperator(ctx), job.UserID, job.ID, false)
		return err
	})
	if err != nil {
		return "", err
	}
	s.carry(ctx, retried)
	s.forget(ctx, queue, task) // so that nobody retries it twice
	return fmt.Sprintf("Job %s is tried again as job %s.", job.ID, retried.ID), nil
}

// pressTasks does to each of some tasks what a button says, and goes on where
// one is refused. A server that is away ends it.
func (s *Server) pressTasks(ctx context.Context, press fanfare.Press, tasks []fanfare.Task) (fanfare.Pressed, error) {
	var pressed fanfare.Pressed
	var first error
	for _, task := range tasks {
		_, err := s.pressTask(ctx, press, task)
		code := fanfare.ErrorCode(err)
		switch {
		case err == nil:
			pressed.Done = append(pressed.Done, task.ID)
			continue
		case code == fanfare.CodeInternal || code == fanfare.CodeUnavailable:
			return pressed, err
		case first == nil:
			first = err
		}
		pressed.Failed = append(pressed.Failed, task.ID)
	}
	pressed.Message = fmt.Sprintf("%d of %d tasks were dealt with.", len(pressed.Done), len(tasks))
	if first != nil {
		pressed.Message += " The first of the others: " + s.failure(ctx, first).Message
	}
	return pressed, nil
}

// pressAll does it to all that are in a state, up to a number. What the page
// says of success is "all", so anything less is told as an error.
func (s *Server) pressAll(ctx context.Context, press fanfare.Press) (fanfare.Pressed, error) {
	tasks, more, err := s.Dashboard.Tasks(ctx, press.Queue, press.State)
	if err != nil {
		return fanfare.Pressed{}, err
	}
	pressed, err := s.pressTasks(ctx, press, tasks)
	if err != nil {
		return pressed, err
	}
	if more {
		pressed.Message += fmt.Sprintf(" There are more than %d: press again for the next ones.", len(tasks))
	}
	if more || len(pressed.Failed) > 0 {
		return pressed, refused("%s", pressed.Message)
	}
	return pressed, nil
}

// pressQueue pauses or resumes a queue. The record is committed once Redis has
// done it; where Redis has not, that is recorded instead.
func (s *Server) pressQueue(ctx context.Context, press fanfare.Press) (fanfare.Pressed, error) {
	action, change, message := fanfare.ActionQueuePause, s.Dashboard.Pause, "Queue %s is paused: jobs are accepted and wait, those that run go on."
	switch press.Verb {
	case fanfare.PressDelete:
		return fanfare.Pressed{}, refused("Queue %s is a part of Fanfare and can't be deleted. Pause it, or delete its tasks.", press.Queue)
	case fanfare.PressResume:
		action, change, message = fanfare.ActionQueueResume, s.Dashboard.Resume, "Queue %s goes on."
	}
	record := audited(ctx, action, press.Queue, nil)
	var changeErr error
	err := s.Store.Atomic(ctx, func(ctx context.Context) error {
		if err := s.Store.Audit(ctx, record); err != nil {
			return err
		}
		changed, err := change(ctx, press.Queue)
		if err == nil && !changed {
			return refused("Queue %s was %sd before.", press.Queue, press.Verb)
		}
		changeErr = err
		return err
	})
	if changeErr != nil {
		record.Status = fanfare.AuditFailure
		if auditErr := s.Store.Audit(ctx, record); auditErr != nil {
			s.Logger.WarnContext(ctx, "a failed change of a queue could not be recorded", "error", auditErr)
		}
	}
	return fanfare.Pressed{Message: fmt.Sprintf(message, press.Queue)}, err
}
