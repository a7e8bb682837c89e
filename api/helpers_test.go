package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/uuid/v5"

	"fanfare"
	"fanfare/internal/apitest"
)

// scenario is a request and what must come of it. A want of "" is not looked
// at; body is a part of the answer's text.
type scenario struct {
	name    string
	line    string
	body    any
	headers []string
	status  int
	code    string // of an error
	want    string // somewhere in the body
}

// run makes each request as client, and holds every error to the one shape.
func run(t *testing.T, client *apitest.Client, scenarios []scenario) {
	t.Helper()
	for _, s := range scenarios {
		t.Run(s.name, func(t *testing.T) {
			answer := client.With(s.headers...).Do(t, s.line, s.body).Want(t, s.status)
			if s.status >= http.StatusBadRequest && !strings.HasPrefix(s.line, "HEAD") {
				answer.WantError(t, s.status, s.code)
			}
			if !strings.Contains(answer.Body, s.want) {
				t.Errorf("%s, want %q in it", answer.Body, s.want)
			}
		})
	}
}

// submit submits a brief and returns the ids of its job and campaign.
func submit(t *testing.T, client *apitest.Client) (job, campaign string) {
	t.Helper()
	answer := client.Do(t, "POST /api/campaign", `{"prompt": "Sell tea"}`).Want(t, http.StatusAccepted)
	return answer.Text("job.id"), answer.Text("campaign.id")
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	got, want = slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))
	if !slices.Equal(got, want) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func header(t *testing.T, answer *apitest.Answer, name, want string) {
	t.Helper()
	if got := answer.Header.Get(name); got != want {
		t.Errorf("%s: %q, want %q", name, got, want)
	}
}

// limits sets rates, those that are not "".
func limits(api, ai, auth, poll string) func(*apitest.Setup) {
	return func(s *apitest.Setup) {
		l := &s.Config.Limits
		for i, rate := range []*fanfare.Rate{&l.API, &l.AI, &l.Auth, &l.Poll} {
			text := []string{api, ai, auth, poll}[i]
			if err := rate.UnmarshalText([]byte(text)); text != "" && err != nil {
				panic(err)
			}
		}
	}
}

type (
	identity = fanfare.Identity
	user     = fanfare.User
)

func leaseToken() string { return uuid.Must(uuid.NewV4()).String() }

const leaseTime = time.Minute
