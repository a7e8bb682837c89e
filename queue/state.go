package queue

import (
	"fmt"
	"slices"

	"fanfare/jobs"
)

// State is how a queue is.
type State struct {
	Name   string
	Paused bool
	Tasks  int // that wait, for a worker or for their time
}

// States returns how each queue is. One that never had a task is empty.
func (q *Queue) States() ([]State, error) {
	known, err := q.inspector.Queues()
	if err != nil {
		return nil, fmt.Errorf("listing the queues: %w", err)
	}
	states := make([]State, 0, len(jobs.Queues()))
	for _, name := range jobs.Queues() {
		state := State{Name: name}
		if slices.Contains(known, name) {
			info, err := q.inspector.GetQueueInfo(name)
			if err != nil {
				return nil, fmt.Errorf("looking at queue %s: %w", name, err)
			}
			state.Paused, state.Tasks = info.Paused, info.Pending+info.Scheduled+info.Retry
		}
		states = append(states, state)
	}
	return states, nil
}
