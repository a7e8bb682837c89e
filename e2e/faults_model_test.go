//go:build faults

package e2e

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lib/pq"
)

const (
	modelTimeout   = 4 * time.Second // AI_TIMEOUT
	attemptTimeout = 6 * time.Second // JOB_TIMEOUT
	overrun        = 2 * time.Second // that an attempt may take longer
	// slowness is what one answer takes: within its own time, and two of them
	// longer than an attempt may take.
	slowness = 3300 * time.Millisecond
)

// manner is how a model behaves badly, and what the job must end with: a status
// or, where it fails, an error code.
type manner struct {
	does func(w http.ResponseWriter, r *http.Request, question []byte)
	want []string
}

func manners() map[string]manner {
	var asked sync.Map // questions that were put off before
	return map[string]manner{
		"hangs":   {hangs, []string{"ai_timeout"}},
		"drips":   {drips, []string{"ai_timeout"}},
		"prose":   {says("Sure! Here is your campaign: buy tea."), []string{"ai_invalid_output"}},
		"lies":    {lies, []string{"ai_invalid_output"}},
		"cuts":    {cuts, []string{"ai_unavailable"}},
		"breaks":  {breaks, []string{"ai_unavailable"}},
		"floods":  {floods, []string{"ai_invalid_output", "ai_timeout"}},
		"bombs":   {bombs, []string{"ai_invalid_output", "ai_timeout"}},
		"garbage": {garbage, []string{"ai_invalid_output"}},
		"later": {func(w http.ResponseWriter, _ *http.Request, question []byte) {
			if _, before := asked.LoadOrStore(string(question), true); !before {
				w.Header().Set("Retry-After", "2")
				http.Error(w, `{"error": {"code": "rate_limit_exceeded", "message": "Slower."}}`, http.StatusTooManyRequests)
			}
		}, []string{"succeeded"}},
		"limits": {limits, []string{"ai_rate_limited"}},
		"slows":  {slows, []string{"succeeded"}},
		"bores":  {bores, []string{"ai_timeout"}},
		"moods":  {nil, []string{"succeeded", "ai_timeout", "ai_invalid_output", "ai_unavailable"}},
		"well":   {func(http.ResponseWriter, *http.Request, []byte) {}, []string{"succeeded"}},
	}
}

func TestModelMisbehaves(t *testing.T) { holds(t, modelMisbehaves) }

func modelMisbehaves(t testing.TB, program string) []string {
	const each = 6
	c := clusterOf(t, program, 0)
	all := manners()
	moods := []string{"prose", "lies", "cuts", "breaks", "garbage", "well", "well", "well"}
	calls := map[string]*atomic.Int64{}
	for name := range all {
		calls[name] = &atomic.Int64{}
	}
	act := func(w http.ResponseWriter, r *http.Request, question []byte) bool {
		for name, m := range all {
			if !bytes.Contains(question, []byte("tea that "+name+",")) {
				continue
			}
			calls[name].Add(1)
			if m.does == nil {
				m = all[moods[rand.IntN(len(moods))]]
			}
			written := &noticed{ResponseWriter: w}
			m.does(written, r, question)
			return written.any || r.Context().Err() != nil
		}
		return false
	}
	c.model.acts.Store(&act)
	c.scheduler("scheduler")
	worker := c.worker("worker", "AI_TIMEOUT="+modelTimeout.String(), "JOB_TIMEOUT="+attemptTimeout.String())
	c.awaitWorkers(1)
	ids := map[string][]string{}
	for name := range all {
		for n := range each {
			ids[name] = append(ids[name], c.submitBrief(fmt.Sprintf("Sell tea that %s, number %d", name, n)))
		}
	}
	every := slices.Concat(slices.Collect(maps.Values(ids))...)
	most := 0
	if !soon(2*patience, func() bool { most = max(most, residentMemory(t, worker)); return c.unended(every) == 0 }) {
		c.violated("%d of %d accepted jobs were not over after %s", c.unended(every), len(every), 2*patience)
	}
	if most > 300<<20 {
		c.violated("the worker took %d MiB", most>>20)
	}
	c.checkEnded(every)
	for name, m := range all {
		for _, id := range ids[name] {
			if got := c.end(id); !slices.Contains(m.want, got) {
				c.violated("a model that %s: the job ended with %s, want one of %q", name, got, m.want)
			}
		}
		if n := calls[name].Load(); n < each {
			c.violated("a model that %s was asked %d times for %d jobs", name, n, each)
		}
	}
	c.checkCutOff(slices.Concat(ids["slows"], ids["bores"]))
	c.checkNothingMadeUp()
	c.checkOverrun(attemptTimeout)
	t.Logf("the worker took %d MiB at most", most>>20)
	return c.broken()
}

// noticed notices whether anything was answered.
type noticed struct {
	http.ResponseWriter
	any bool
}

func (n *noticed) WriteHeader(status int)      { n.any = true; n.ResponseWriter.WriteHeader(status) }
func (n *noticed) Write(p []byte) (int, error) { n.any = true; return n.ResponseWriter.Write(p) }
func (n *noticed) Unwrap() http.ResponseWriter { return n.ResponseWriter }
func (n *noticed) Flush()                      { n.any = true; n.ResponseWriter.(http.Flusher).Flush() }

// submitBrief sends one brief once.
func (c *cluster) submitBrief(brief string) (id string) {
	c.t.Helper()
	var accepted struct{ Job struct{ ID string } }
	c.post(c.apis[0], "/api/campaign", c.authorized(), map[string]any{"prompt": brief, "channels": []string{"sms"}}, &accepted)
	return accepted.Job.ID
}

// end is a job's error code, or its status if it has none.
func (c *cluster) end(id string) (end string) {
	if err := c.db.QueryRow(`SELECT coalesce(error->>'code', status) FROM jobs WHERE id = $1`, id).Scan(&end); err != nil {
		return err.Error()
	}
	return end
}

// checkNothingMadeUp: a campaign whose job failed has no content, one whose job
// succeeded has what the rules ask for.
func (c *cluster) checkNothingMadeUp() {
	c.check(nil, []countCheck{
		{"failed campaigns with content", `SELECT count(*) FROM campaigns c JOIN jobs j ON j.campaign_id = c.id
			WHERE j.kind = 'campaign.generate' AND j.status IN ('failed', 'expired') AND $1::uuid[] IS NULL
			AND NOT EXISTS (SELECT 1 FROM jobs r WHERE r.retry_of = j.id)
			AND (c.status <> 'failed' OR coalesce(c.content, '{}') <> '{}')`, 0},
		{"campaigns whose text breaks the rules", `SELECT count(*) FROM campaigns c JOIN jobs j ON j.campaign_id = c.id
			WHERE j.kind = 'campaign.generate' AND j.status = 'succeeded' AND $1::uuid[] IS NULL AND c.channels = '{sms}'
			AND NOT coalesce(length(c.content->'sms'->>'text') BETWEEN 1 AND 160, false)`, 0},
	})
}

// checkOverrun: no attempt took longer than it may, and a little.
func (c *cluster) checkOverrun(timeout time.Duration) {
	var longest float64
	err := c.db.QueryRow(`SELECT coalesce(max(extract(epoch FROM e.created_at - s.created_at)), 0)
		FROM audit_logs s JOIN audit_logs e ON e.metadata->>'lease' = s.metadata->>'lease' AND e.action = 'job.attempt.end'
		WHERE s.action = 'job.attempt.start'`).Scan(&longest)
	if err != nil {
		c.t.Fatal(err)
	}
	if over := time.Duration(longest*float64(time.Second)) - timeout; over > overrun {
		c.violated("an attempt took %s longer than its timeout", over)
	}
	c.t.Logf("the longest attempt took %.1f s of %s", longest, timeout)
}

// checkCutOff: no job was done in its first attempt, which had no time for that,
// and some of those that ended so say that it is the attempt's.
func (c *cluster) checkCutOff(ids []string) {
	c.check(ids, []countCheck{
		{"jobs that were tried again", `SELECT count(DISTINCT job_id) FROM job_events
			WHERE job_id = ANY($1::uuid[]) AND type = 'job.retrying'`, len(ids)},
	})
	if c.count(`SELECT count(*) FROM jobs WHERE id = ANY($1::uuid[]) AND error->>'message' LIKE '%JOB_TIMEOUT%'`, pq.Array(ids)) == 0 {
		c.violated("no job says that its attempts took too long")
	}
}

func hangs(_ http.ResponseWriter, r *http.Request, _ []byte) { <-r.Context().Done() }

func drips(w http.ResponseWriter, r *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "text/event-stream")
	for r.Context().Err() == nil {
		_, _ = io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"y"}}]}`+"\n\n")
		w.(http.Flusher).Flush()
		time.Sleep(200 * time.Millisecond)
	}
}

func says(text string) func(http.ResponseWriter, *http.Request, []byte) {
	return func(w http.ResponseWriter, _ *http.Request, _ []byte) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{
			"index": 0, "finish_reason": "stop", "message": map[string]string{"role": "assistant", "content": text},
		}}})
	}
}

// limits says that it is asked too often, and not for how long.
func limits(w http.ResponseWriter, _ *http.Request, _ []byte) {
	http.Error(w, `{"error": {"code": "rate_limit_exceeded", "message": "Slower."}}`, http.StatusTooManyRequests)
}

// slows answers well, each time so late that an attempt has time for one answer:
// the next goes on from there.
func slows(_ http.ResponseWriter, r *http.Request, _ []byte) {
	select {
	case <-time.After(slowness):
	case <-r.Context().Done():
	}
}

// bores is as late, and its text has to be asked for again: no attempt has time
// for that.
func bores(w http.ResponseWriter, r *http.Request, question []byte) {
	slows(w, r, question)
	lies(w, r, question)
}

// lies is right about the form, and far too long.
func lies(w http.ResponseWriter, r *http.Request, question []byte) {
	if !bytes.Contains(question, []byte(`"name":"sms"`)) {
		return // understanding the brief is not where it lies
	}
	says(`{"text": "`+strings.Repeat("tea ", 100)+`"}`)(w, r, question)
}

func cuts(w http.ResponseWriter, _ *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, `data: {"choices":[{"index":0,"delta":{"content":"{\"text\": \"Buy tea\"}"}}]}`+"\n\n")
	w.(http.Flusher).Flush()
	panic(http.ErrAbortHandler)
}

func breaks(w http.ResponseWriter, _ *http.Request, _ []byte) {
	http.Error(w, strings.Repeat("out of order ", 1000), http.StatusInternalServerError)
}

func floods(w http.ResponseWriter, r *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, `{"choices":[{"index":0,"message":{"content":"`)
	block := bytes.Repeat([]byte("y"), 1<<20)
	for i := 0; i < 100 && r.Context().Err() == nil; i++ {
		_, _ = w.Write(block)
	}
	_, _ = io.WriteString(w, `"},"finish_reason":"stop"}]}`)
}

// bombs is 1 GiB in 1 MiB.
func bombs(w http.ResponseWriter, r *http.Request, _ []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Encoding", "gzip")
	packed := gzip.NewWriter(w)
	_, _ = io.WriteString(packed, `{"choices":[{"index":0,"message":{"content":"`)
	block := bytes.Repeat([]byte("y"), 1<<20)
	for i := 0; i < 1024 && r.Context().Err() == nil; i++ {
		if _, err := packed.Write(block); err != nil {
			return
		}
	}
}

func garbage(w http.ResponseWriter, _ *http.Request, _ []byte) {
	_, _ = io.WriteString(w, "<html><body>502 Bad Gateway</body></html>")
}
