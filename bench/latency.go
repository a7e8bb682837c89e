package main

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"fanfare"
)

const (
	eventGap        = 10 * time.Millisecond // between two events: nothing queues up
	arrivalPatience = 15 * time.Second
	writers         = 20 // jobs that models write for at a time
	words           = 100
	wordGap         = 25 * time.Millisecond
)

// moments are the times at which something was given away, by what it was.
type moments map[string]time.Time

// eventLatencies writes n events, one at a time, and returns how long after the
// commit each came to each client that follows its job, and its owner.
func (c *crowd) eventLatencies(ctx context.Context, n int) (ofJobs, ofUsers []time.Duration, err error) {
	c.listen(func(*follower) bool { return true })
	committed := moments{}
	frames := 0
	for i := range n {
		o := c.owners[i%len(c.owners)]
		jobs, err := c.bench.store.RecordSteps(ctx, []fanfare.StepDone{o.jobs[0].next(n)})
		if err != nil {
			return nil, nil, err
		}
		committed[eventKey(jobs[0].ID, jobs[0].Sequence)] = time.Now()
		c.bench.hub.Publish(ctx, jobs...)
		frames += c.followersOf(i % len(c.owners))
		time.Sleep(eventGap)
	}
	err = c.arrive(frames, func(f *follower, arrived frame) (int, error) {
		event, err := arrived.decode()
		at, ours := committed[eventKey(event.JobID, event.Sequence)]
		if err != nil || !ours {
			return 0, err
		}
		if f.ofUser {
			ofUsers = append(ofUsers, arrived.at.Sub(at))
		} else {
			ofJobs = append(ofJobs, arrived.at.Sub(at))
		}
		return 1, nil
	})
	slices.Sort(ofJobs)
	slices.Sort(ofUsers)
	return ofJobs, ofUsers, err
}

func eventKey(jobID string, sequence int64) string {
	return jobID + "/" + strconv.FormatInt(sequence, 10)
}

// followersOf counts the streams of an owner.
func (c *crowd) followersOf(owner int) int {
	return (len(c.followers) - owner + len(c.owners) - 1) / len(c.owners)
}

// wordLatencies writes words as models do, for several jobs at a time, and
// returns how long each took from the sink to each client.
func (c *crowd) wordLatencies(ctx context.Context) (latencies []time.Duration, err error) {
	c.listen(func(f *follower) bool { return !f.ofUser })
	written := make([]moments, min(writers, len(c.owners)))
	expected := 0
	var g errgroup.Group
	for i := range written {
		g.Go(func() error { written[i] = c.write(ctx, c.owners[i].jobs[0].id); return ctx.Err() })
		expected += words * (c.followersOf(i) - 1)
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	all := moments{}
	for _, of := range written {
		for key, at := range of {
			all[key] = at
		}
	}
	err = c.arrive(expected, func(_ *follower, arrived frame) (n int, err error) {
		if arrived.event != "job.delta" {
			return 0, nil
		}
		delta, err := arrived.decode()
		for _, word := range strings.Fields(delta.Text) {
			latencies = append(latencies, arrived.at.Sub(all[delta.JobID+"/"+word]))
			n++
		}
		return n, err
	})
	slices.Sort(latencies)
	return latencies, err
}

func (c *crowd) write(ctx context.Context, jobID string) moments {
	sink, closeTexts := c.bench.texts.Open(jobID)
	defer closeTexts()
	written := moments{}
	for i := range words {
		word := strconv.Itoa(i)
		written[jobID+"/"+word] = time.Now()
		sink.Append(fanfare.SMS, "text", word+" ")
		select {
		case <-time.After(wordGap):
		case <-ctx.Done():
			return written
		}
	}
	return written
}

// listen has those followers keep their frames from now on.
func (c *crowd) listen(which func(*follower) bool) {
	for _, f := range c.followers {
		f.mu.Lock()
		f.frames, f.keep = nil, which(f)
		f.mu.Unlock()
	}
}

// take returns the frames that have come since the last time.
func (f *follower) take() []frame {
	f.mu.Lock()
	defer f.mu.Unlock()
	frames := f.frames
	f.frames = nil
	return frames
}

// arrive hands over what comes until so many things were counted.
func (c *crowd) arrive(expected int, count func(*follower, frame) (int, error)) error {
	deadline := time.Now().Add(arrivalPatience)
	arrived := 0
	for {
		for _, f := range c.followers {
			for _, frame := range f.take() {
				n, err := count(f, frame)
				if err != nil {
					return err
				}
				arrived += n
			}
			if err := f.failure(); err != nil {
				return err
			}
		}
		switch {
		case arrived == expected:
			return nil
		case time.Now().After(deadline):
			return fmt.Errorf("%d of %d came within %s", arrived, expected, arrivalPatience)
		}
		time.Sleep(50 * time.Millisecond)
	}
}
