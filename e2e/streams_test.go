package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// streamCluster has two APIs, two workers, and a model slow enough to watch.
func streamCluster(t *testing.T) *cluster {
	c := newCluster(t, 300*time.Millisecond)
	c.api()
	c.scheduler("scheduler")
	c.worker("worker1")
	c.worker("worker2")
	c.awaitWorkers(2)
	return c
}

// Guard: the replay of what came after Last-Event-ID, read from the table.
func TestFiftyClientsCutAtRandom(t *testing.T) {
	t.Parallel()
	c := streamCluster(t)
	ids := c.submitAll(0, 10)
	var wg sync.WaitGroup
	for n := range 50 {
		wg.Go(func() {
			jobID := ids[n%len(ids)]
			c.wantSequence(t, fmt.Sprintf("client %d", n), jobID, c.followInPieces(jobID, n))
		})
	}
	wg.Wait()
	c.awaitDone(patience, ids)
	c.checkPromises(ids)
}

// followInPieces reads a job's stream with connections that end after one to
// three frames or at a random moment, each to another API, until it is over.
func (c *cluster) followInPieces(jobID string, n int) []int64 {
	var got []int64
	last, over := "", false
	for piece := 0; !over && piece < 1000; piece++ {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Duration(1+rand.IntN(800))*time.Millisecond)
		left := 1 + rand.IntN(3)
		status, _ := c.follow(ctx, c.apis[(n+piece)%len(c.apis)], "/api/jobs/"+jobID+"/events", last, func(f frame) bool {
			if f.id == "" {
				return true
			}
			last = f.id
			got = append(got, f.data.Sequence)
			over = f.data.Job.Done
			left--
			return left > 0
		})
		cancel()
		over = over || status == http.StatusNoContent
	}
	return got
}

// Guard: the cursor that stops before the oldest running transaction.
func TestUserStreamCutAtRandom(t *testing.T) {
	t.Parallel()
	c := streamCluster(t)
	const jobs = 30
	var wg sync.WaitGroup
	begun := make(chan struct{}, 8)
	for n := range 8 {
		wg.Go(func() {
			for jobID, got := range c.followUser(n, jobs, func() { begun <- struct{}{} }) {
				c.wantSequence(t, fmt.Sprintf("client %d", n), jobID, got)
			}
		})
	}
	for range 8 {
		<-begun
	}
	ids := c.submitAll(0, jobs)
	wg.Wait()
	c.awaitDone(patience, ids)
	c.checkPromises(ids)
}

// followUser reads the user's stream in pieces until that many jobs are over,
// and returns the sequences seen by job.
func (c *cluster) followUser(n, jobs int, begun func()) map[string][]int64 {
	got := map[string][]int64{}
	last, over := "", 0
	begun = sync.OnceFunc(begun)
	deadline := time.Now().Add(patience)
	for piece := 0; over < jobs && time.Now().Before(deadline); piece++ {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Duration(100+rand.IntN(1500))*time.Millisecond)
		_, _ = c.follow(ctx, c.apis[(n+piece)%len(c.apis)], "/api/events", last, func(f frame) bool {
			if f.id != "" {
				last = f.id
			}
			if f.event == "jobs.snapshot" {
				begun()
				return true
			}
			got[f.data.JobID] = append(got[f.data.JobID], f.data.Sequence)
			if f.data.Job.Done {
				over++
			}
			return over < jobs
		})
		cancel()
	}
	if over != jobs {
		c.t.Errorf("client %d saw %d jobs end, want %d", n, over, jobs)
	}
	return got
}

// Guard: the hub's poll of the table (events/events.go).
func TestStreamOutlivesRedis(t *testing.T) {
	t.Parallel()
	c := streamCluster(t)
	c.model.delay.Store(int64(2 * time.Second))
	ids := c.submitAll(0, 1)
	eventually(t, patience, "the job to run", func() bool { return c.running() == 1 })
	var got []int64
	status, err := c.follow(t.Context(), c.apis[0], "/api/jobs/"+ids[0]+"/events", "", func(f frame) bool {
		if f.event == "job.snapshot" {
			if err := c.services.Redis.Kill(); err != nil {
				t.Error(err)
			}
		}
		if f.id != "" {
			got = append(got, f.data.Sequence)
		}
		return true
	})
	if status != http.StatusOK || err != nil {
		t.Errorf("the stream ended with %d, %v", status, err)
	}
	c.wantSequence(t, "the client", ids[0], got)
	if err := c.services.Redis.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.checkPromises(ids)
}

// Guard: s.draining in the followers' loops.
func TestStreamGoesOnAtAnotherAPI(t *testing.T) {
	t.Parallel()
	c := newCluster(t, 1500*time.Millisecond)
	second := c.api()
	c.scheduler("scheduler")
	c.worker("worker")
	c.awaitWorkers(1)
	id := c.submitAll(0, 1)[0]
	var got []int64
	last, stopped := "", false
	read := func(f frame) bool {
		if f.id != "" {
			last, got = f.id, append(got, f.data.Sequence)
		}
		if f.event == "job.started" && !stopped {
			stopped = true
			second.signal(syscall.SIGTERM)
		}
		return true
	}
	if _, err := c.follow(t.Context(), c.apis[1], "/api/jobs/"+id+"/events", "", read); err != nil {
		t.Errorf("the stream did not end cleanly at SIGTERM: %v", err)
	}
	<-second.done
	if _, err := c.follow(t.Context(), c.apis[0], "/api/jobs/"+id+"/events", last, read); err != nil {
		t.Errorf("resuming at another API: %v", err)
	}
	c.wantSequence(t, "the client", id, got)
}

// Guard: the warden (api/warden.go).
func TestRevokedKeyEndsItsStreams(t *testing.T) {
	t.Parallel()
	c := streamCluster(t)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	status, err := c.follow(ctx, c.apis[0], "/api/events", "", func(frame) bool {
		if _, err := c.db.Exec(`DELETE FROM api_keys`); err != nil {
			t.Error(err)
		}
		return true
	})
	if status != http.StatusOK || err != nil {
		t.Errorf("ten seconds after its key was revoked the stream had not ended: %d, %v", status, err)
	}
}

// The words of the model, as they come, are those that end up in the campaign.
func TestDeltasAddUp(t *testing.T) {
	t.Parallel()
	c := streamCluster(t)
	id := c.submitAll(0, 1)[0]
	texts := map[string]string{}
	_, err := c.follow(t.Context(), c.apis[1], "/api/jobs/"+id+"/events", "", func(f frame) bool {
		switch f.event {
		case "job.snapshot":
			clear(texts)
			for channel, fields := range f.data.Partial {
				for field, text := range fields {
					texts[channel+"."+field] = text
				}
			}
		case "job.delta":
			texts[f.data.Channel+"."+f.data.Field] += f.data.Text
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	var want string
	if err := c.db.QueryRow(`SELECT result->'campaign'->'content'->'sms'->>'text' FROM jobs WHERE id = $1`, id).Scan(&want); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(texts["sms.text"]); got != want {
		t.Errorf("the deltas add up to %q, the text is %q", got, want)
	}
}
