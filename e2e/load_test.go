//go:build faults

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// load is a mixed load: briefs, optimisations, analyses, launches to a receiver
// that keeps receipts, cancels and retries, in no order. Every submission is
// repeated under its key until it is answered, whatever breaks meanwhile.
type load struct {
	c         *cluster
	campaigns []string // that are launched, each by a goroutine of its own
	ahead     int      // how many jobs may be unfinished before no more are submitted

	allowed    atomic.Int64 // how many may have been accepted by now
	accepted   atomic.Int64
	keys       atomic.Int64
	unfinished atomic.Int64

	mu  sync.Mutex
	ids []string
}

const recipientsEach = 10 // of a launch

// run submits until so many jobs are accepted, and returns their ids.
func (l *load) run(ctx context.Context, seed uint64, jobs int64) []string {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go l.watch(ctx)
	var wg sync.WaitGroup
	for n := range 16 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(seed, uint64(n)))
			for l.accepted.Load() < jobs && l.pause(ctx) {
				l.one(ctx, random)
			}
		})
	}
	for n, campaign := range l.campaigns {
		wg.Go(func() {
			for round := 0; l.accepted.Load() < jobs && l.pause(ctx); round++ {
				l.launch(ctx, campaign, fmt.Sprintf("c%d-%d-", n, round), jobs)
			}
		})
	}
	wg.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ids
}

// watch counts what is not over.
func (l *load) watch(ctx context.Context) {
	for ctx.Err() == nil {
		if n := l.c.unfinished(); n >= 0 {
			l.unfinished.Store(int64(n))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// pause waits while as much was submitted as may be.
func (l *load) pause(ctx context.Context) bool {
	for l.accepted.Load() >= l.allowed.Load() || l.unfinished.Load() > int64(l.ahead) {
		select {
		case <-ctx.Done():
			return false
		case <-time.After(20 * time.Millisecond):
		}
	}
	return ctx.Err() == nil
}

func (l *load) one(ctx context.Context, random *rand.Rand) {
	switch dice := random.IntN(100); {
	case dice < 70:
		l.submit(ctx, "/api/campaign", map[string]any{
			"prompt": fmt.Sprintf("Tell our customers about summer sale number %d", random.Int()), "channels": []string{"sms"},
		})
	case dice < 85:
		l.submit(ctx, "/api/analytics/optimizations", map[string]any{
			"goal": "sell tea", "channels": []string{"email"}, "currentPerformance": map[string]any{"clicks": 24, "opens": 300},
		})
	case dice < 92:
		l.submit(ctx, "/api/analytics", map[string]any{
			"campaignId": l.campaigns[random.IntN(len(l.campaigns))], "goal": "sell tea", "channels": []string{"email"},
			"metrics": map[string]any{"clicks": 24, "opens": 300},
		})
	case dice < 97:
		if id := l.recent(random); id != "" {
			_, _, _ = l.ask(ctx, "/api/jobs/"+id+"/cancel", "", nil) // one that is over stays as it is
		}
	default:
		if id := l.recent(random); id != "" {
			l.submit(ctx, "/api/jobs/"+id+"/retry", map[string]any{})
		}
	}
}

// recent is one of the last jobs.
func (l *load) recent(random *rand.Rand) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.ids) == 0 {
		return ""
	}
	return l.ids[len(l.ids)-1-random.IntN(min(len(l.ids), 200))]
}

// launch gives a campaign recipients who have never been written to, launches
// it, and waits for its end, or the load's: one that is lost is found later.
func (l *load) launch(ctx context.Context, campaign, prefix string, jobs int64) {
	if err := l.c.address(ctx, campaign, prefix, recipientsEach); err != nil {
		return // with the next recipients then
	}
	id := l.submit(ctx, "/api/campaign/launch", map[string]any{"campaignId": campaign})
	for id != "" && ctx.Err() == nil && l.accepted.Load() < jobs && l.c.unended([]string{id}) > 0 {
		time.Sleep(100 * time.Millisecond)
	}
}

// submit repeats a submission under one key until it is answered, and returns
// the job's id, "" where it was refused for a reason of the request's own.
func (l *load) submit(ctx context.Context, path string, body any) (id string) {
	key := fmt.Sprintf("load-%d", l.keys.Add(1))
	for try := 0; ctx.Err() == nil; try++ {
		status, code, id := l.ask(ctx, path, key, body)
		switch {
		case status == http.StatusAccepted:
			l.accepted.Add(1)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.ids = append(l.ids, id)
			return id
		case status >= 400 && status < 500 && code != "idempotency_in_flight":
			if status != http.StatusConflict {
				l.c.violated("POST %s was refused: %d %s", path, status, code)
			}
			return ""
		}
		l.c.refused.Add(1)
		time.Sleep(100 * time.Millisecond)
	}
	return ""
}

// ask posts once; the status is 0 where no answer came.
func (l *load) ask(ctx context.Context, path, key string, body any) (status int, code, id string) {
	raw, err := json.Marshal(body)
	if err != nil {
		return 0, "", ""
	}
	base := l.c.apis[rand.IntN(len(l.c.apis))]
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, base+path, bytes.NewReader(raw))
	if err != nil {
		return 0, "", ""
	}
	request.Header = l.c.authorized()
	request.Header.Set("Content-Type", "application/json")
	if key != "" {
		request.Header.Set("Idempotency-Key", key)
	}
	response, err := l.c.client.Do(request)
	if err != nil {
		return 0, "", ""
	}
	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Code string
		Job  struct{ ID string }
	}
	whole, err := io.ReadAll(response.Body)
	if err != nil || json.Unmarshal(whole, &answer) != nil {
		return 0, "", ""
	}
	return response.StatusCode, answer.Code, answer.Job.ID
}

// percentile of durations, 0 of none.
func percentile(p float64, of []time.Duration) time.Duration {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return sorted[int(p*float64(len(sorted)-1)+0.5)]
}
