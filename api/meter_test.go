package api_test

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/api"
	"fanfare/internal/apitest"
)

// counts is an API's meter.
type counts struct {
	mu      sync.Mutex
	have    map[string]int
	slowest time.Duration
}

func (c *counts) add(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.have[what]++
}

func (c *counts) Request(_, _ string, _ int, took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.slowest = max(c.slowest, took)
}

func (c *counts) RateLimited(limit string) { c.add("over " + limit) }
func (c *counts) InputRefused()            { c.add("refused") }
func (c *counts) StreamOpened() func()     { c.add("opened"); return func() { c.add("closed") } }
func (c *counts) JobDone(job fanfare.Job)  { c.add("done " + string(job.Status)) }

func (c *counts) want(t *testing.T, want map[string]int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	if diff := cmp.Diff(want, c.have); diff != "" {
		t.Errorf("counted (-want +got):\n%s", diff)
	}
}

func counted(t *testing.T, changes ...func(*apitest.Setup)) (*apitest.App, *counts) {
	t.Helper()
	c := &counts{have: map[string]int{}}
	a := apitest.New(t, append(changes, func(s *apitest.Setup) {
		s.Wrap = func(deps *api.Deps) { deps.Meter = c }
	})...)
	return a, c
}

// TestOnlyACancelThatEndsAJobIsCounted: a running job is ended by its worker,
// and one that is over is over.
func TestOnlyACancelThatEndsAJobIsCounted(t *testing.T) {
	a, c := counted(t)
	ada := a.User(t, "ada@example.com")
	waiting := 0
	for status, id := range byStatus(t, a, ada) {
		if status.Waiting() {
			waiting++
		}
		for range 2 {
			ada.Do(t, "POST /api/jobs/"+id+"/cancel", nil).Want(t, http.StatusOK)
		}
	}
	c.want(t, map[string]int{"done canceled": waiting})
}

// TestEachLimitIsCountedByItsName, all of which LimitNames lists.
func TestEachLimitIsCountedByItsName(t *testing.T) {
	a, c := counted(t, limits("2/1h", "1/1h", "1/1h", "1/1h"))
	ada := a.User(t, "ada@example.com")
	until(t, ada, "GET /api/jobs", nil)
	until(t, ada, "POST /api/campaign", map[string]any{"prompt": "sell tea"})
	until(t, ada, "GET /api/keys", nil)
	login := map[string]string{"email": "eve@example.com", "password": "wrong"}
	until(t, a.Anonymous(), "POST /api/auth/login", login)
	until(t, a.Anonymous(), "POST /api/auth/login", "{}")
	c.want(t, map[string]int{"over poll": 1, "over ai": 1, "over api": 1, "over auth-email": 1, "over auth-address": 1})
	names := slices.Sorted(maps.Keys(c.have))
	for _, name := range api.LimitNames() {
		if !slices.Contains(names, "over "+name) {
			t.Errorf("nothing met the limit %q", name)
		}
	}
}

// TestWaitingIsNoSlowness: whoever wishes to wait for a job does not make the
// service slow.
func TestWaitingIsNoSlowness(t *testing.T) {
	a, c := counted(t)
	ada := a.User(t, "ada@example.com")
	c.slowest = 0
	began := time.Now()
	ada.With("Prefer: wait=1").Do(t, "POST /api/campaign", map[string]any{"prompt": "sell tea"}).Want(t, http.StatusAccepted)
	if whole := time.Since(began); whole < time.Second || c.slowest == 0 || c.slowest > whole-time.Second {
		t.Errorf("of %s, with a wait of 1s, %s were counted", whole, c.slowest)
	}
}
