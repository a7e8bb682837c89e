package queue

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"

	"fanfare"
	"fanfare/jobs"
)

// The requests that asynqmon's page makes when a button is pressed (asynqmon
// 0.7.2, handler.go). Those about groups are left out: no task of ours is in one.
var (
	pressQueue = regexp.MustCompile(`^/api/queues/([^/:]+)(?::(pause|resume))?$`)
	pressTask  = regexp.MustCompile(`^/api/queues/([^/:]+)/(active|pending|scheduled|retry|archived|completed)_tasks/([^/]+?)(?::(cancel|run|archive))?$`)
	pressTasks = regexp.MustCompile(`^/api/queues/([^/:]+)/(active|pending|scheduled|retry|archived|completed)_tasks:(batch_|)(cancel|run|archive|delete)(_all|)$`)
	jobID      = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)
)

const (
	uuidLength = 36
	// pressMost is how many tasks a button deals with at once.
	pressMost  = 500
	retryAfter = 5 * time.Second
)

// Pressed says which button a request comes from. A request that comes from
// none is refused.
func (d *Dashboard) Pressed(method, path string, body []byte) (fanfare.Press, error) {
	path = strings.TrimPrefix(path, d.root)
	press, err := pressed(method, path, body)
	if err != nil {
		return press, err
	}
	if !slices.Contains(jobs.Queues(), press.Queue) {
		return press, fanfare.Errorf(fanfare.CodeNotFound, "There is no queue with that name.")
	}
	return press, nil
}

func pressed(method, path string, body []byte) (fanfare.Press, error) {
	if m := pressQueue.FindStringSubmatch(path); m != nil {
		press := fanfare.Press{Queue: m[1], Verb: m[2], Scope: fanfare.PressQueue}
		return press, asked(&press, method)
	}
	if m := pressTask.FindStringSubmatch(path); m != nil {
		press := fanfare.Press{Queue: m[1], State: m[2], Verb: m[4], Tasks: []fanfare.Task{task(m[3])}}
		return press, asked(&press, method)
	}
	m := pressTasks.FindStringSubmatch(path)
	if m == nil || (m[3] == "") == (m[5] == "") {
		return fanfare.Press{}, noButton()
	}
	press := fanfare.Press{Queue: m[1], State: m[2], Verb: m[4], Scope: fanfare.PressAll}
	if m[5] != "" {
		if (method == http.MethodDelete) != (press.Verb == fanfare.PressDelete) {
			return press, noButton()
		}
		return press, possible(press)
	}
	press.Scope = fanfare.PressBatch
	if method != http.MethodPost {
		return press, noButton()
	}
	if err := listed(&press, body); err != nil {
		return press, err
	}
	return press, possible(press)
}

// asked holds a request to its method: DELETE has no verb in its path, and POST
// has one.
func asked(press *fanfare.Press, method string) error {
	switch {
	case method == http.MethodDelete && press.Verb == "":
		press.Verb = fanfare.PressDelete
	case method != http.MethodPost || press.Verb == "":
		return noButton()
	}
	return possible(*press)
}

// possible refuses what asynqmon has no button for, such as running a task that
// is running.
func possible(press fanfare.Press) error {
	verbs := map[string]string{
		"": "delete pause resume", "active": "cancel", "pending": "delete archive", "scheduled": "delete run archive",
		"retry": "delete run archive", "archived": "delete run", "completed": "delete",
	}
	if !slices.Contains(strings.Fields(verbs[press.State]), press.Verb) {
		return noButton()
	}
	return nil
}

func noButton() error {
	return fanfare.Errorf(fanfare.CodeNotPossible, "The dashboard has no such button, so nothing was done.")
}

// listed reads which tasks a button is about.
func listed(press *fanfare.Press, body []byte) error {
	var list struct {
		IDs []string `json:"task_ids"`
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&list); err != nil {
		return fanfare.Invalid("task_ids", "must be a list of ids of tasks")
	}
	if n := len(list.IDs); n == 0 || n > pressMost {
		return fanfare.Invalid("task_ids", "must have 1 to %d ids", pressMost)
	}
	for _, id := range list.IDs {
		press.Tasks = append(press.Tasks, task(id))
	}
	return nil
}

// task takes an id apart that taskID made.
func task(id string) fanfare.Task {
	job, number, _ := strings.Cut(id, ":")
	dispatch, err := strconv.Atoi(number)
	if err != nil || dispatch < 1 || !jobID.MatchString(job) {
		return fanfare.Task{ID: id}
	}
	return fanfare.Task{ID: id, JobID: job, Dispatch: dispatch}
}

// Tasks returns the tasks of a queue in a state, at most as many as a button
// deals with, and whether there are more.
func (d *Dashboard) Tasks(_ context.Context, queue, state string) (tasks []fanfare.Task, more bool, err error) {
	list := map[string]func(string, ...asynq.ListOption) ([]*asynq.TaskInfo, error){
		"active": d.inspector.ListActiveTasks, "pending": d.inspector.ListPendingTasks,
		"scheduled": d.inspector.ListScheduledTasks, "retry": d.inspector.ListRetryTasks,
		"archived": d.inspector.ListArchivedTasks, "completed": d.inspector.ListCompletedTasks,
	}[state]
	found, err := list(queue, asynq.PageSize(pressMost+1))
	if errors.Is(err, asynq.ErrQueueNotFound) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, away("listing tasks", err)
	}
	for _, info := range found[:min(len(found), pressMost)] {
		tasks = append(tasks, task(info.ID))
	}
	return tasks, len(found) > pressMost, nil
}

// Forget removes a task that is not active, and reports whether it was there.
func (d *Dashboard) Forget(_ context.Context, queue, taskID string) (bool, error) {
	err := d.inspector.DeleteTask(queue, taskID)
	if errors.Is(err, asynq.ErrTaskNotFound) || errors.Is(err, asynq.ErrQueueNotFound) {
		return false, nil
	}
	if info, lookErr := d.inspector.GetTaskInfo(queue, taskID); err != nil && lookErr == nil && info.State == asynq.TaskStateActive {
		return false, fanfare.Errorf(fanfare.CodeNotPossible, "A worker has just taken this task. Cancel it in the list of active tasks.")
	}
	return err == nil, away("removing a task", err)
}

// Pause lets workers take nothing more from a queue. It reports false where
// that is so already.
func (d *Dashboard) Pause(ctx context.Context, queue string) (bool, error) {
	if paused, err := d.paused(ctx, queue); err != nil || paused {
		return false, err
	}
	return true, away("pausing a queue", d.inspector.PauseQueue(queue))
}

// Resume ends a pause, and reports whether there was one.
func (d *Dashboard) Resume(ctx context.Context, queue string) (bool, error) {
	if paused, err := d.paused(ctx, queue); err != nil || !paused {
		return false, err
	}
	if err := d.inspector.UnpauseQueue(queue); err != nil {
		return false, away("resuming a queue", err)
	}
	d.wake(ctx, queue)
	return true, nil
}

func (d *Dashboard) paused(ctx context.Context, queue string) (bool, error) {
	n, err := d.rdb.Exists(ctx, "asynq:{"+queue+"}:paused").Result() // base.PausedKey of asynq 0.26
	return n > 0, away("looking whether a queue is paused", err)
}

// away is an error of Redis as operators see it.
func away(doing string, err error) error {
	if err == nil {
		return nil
	}
	e := fanfare.Errorf(fanfare.CodeUnavailable, "Redis does not answer, so nothing was done. Try again once it does.")
	e.RetryAfter = retryAfter
	return e.WithCause(fmt.Errorf("%s: %w", doing, err))
}

// Answer is what asynqmon's page expects to hear of a button, and the sentence
// for people beside it.
func (d *Dashboard) Answer(press fanfare.Press, p fanfare.Pressed) any {
	answer := map[string]any{"message": p.Message}
	done := map[string]string{
		fanfare.PressCancel: "canceled", fanfare.PressDelete: "deleted", fanfare.PressRun: "pending", fanfare.PressArchive: "archived",
	}[press.Verb]
	switch {
	case press.Scope == fanfare.PressBatch:
		failed := "error_ids"
		if press.Verb == fanfare.PressDelete {
			failed = "failed_ids"
		}
		answer[done+"_ids"], answer[failed] = append([]string{}, p.Done...), append([]string{}, p.Failed...)
	case press.Scope == fanfare.PressAll && press.Verb == fanfare.PressRun:
		answer["scheduled"] = len(p.Done)
	case press.Scope == fanfare.PressAll:
		answer[done] = len(p.Done)
	}
	return answer
}
