package api_test

import (
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"fanfare/internal/apitest"
	"fanfare/internal/testdb"
)

// until makes requests until one is refused, and returns how many were not.
func until(t *testing.T, client *apitest.Client, line string, body any) int {
	t.Helper()
	for n := range 100 {
		if client.Do(t, line, body).Status == http.StatusTooManyRequests {
			return n
		}
	}
	t.Fatalf("%s is never refused", line)
	return 0
}

func TestRefusalByALimit(t *testing.T) {
	a := apitest.New(t, limits("2/1h", "", "", ""))
	ada := a.User(t, "ada@example.com")
	for left := 1; left >= 0; left-- {
		answer := ada.Do(t, "GET /api/keys", nil).Want(t, http.StatusOK)
		header(t, answer, "X-RateLimit-Limit", "2")
		header(t, answer, "X-RateLimit-Remaining", strconv.Itoa(left))
		reset, err := strconv.ParseInt(answer.Header.Get("X-RateLimit-Reset"), 10, 64)
		if in := time.Until(time.UnixMilli(reset)); err != nil || in < 10*time.Minute || in > time.Hour {
			t.Errorf("X-RateLimit-Reset is in %s, %v", in, err)
		}
	}
	answer := ada.Do(t, "GET /api/keys", nil).WantError(t, http.StatusTooManyRequests, "rate_limited")
	same(t, "fields", answer.Keys(""), []string{"error", "code", "details", "requestId"})
	same(t, "details", answer.Keys("details"), []string{"limit", "remaining", "reset", "retryAfter"})
	retry, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	if err != nil || retry < 1 || answer.At("details.retryAfter") != float64(retry) {
		t.Errorf("Retry-After %q, %v: %s", answer.Header.Get("Retry-After"), err, answer.Body)
	}
	if answer.Text("error") != "Rate limit exceeded" || answer.At("details.limit") != 2.0 || answer.At("details.remaining") != 0.0 {
		t.Errorf("%s", answer.Body)
	}
	if _, err := time.Parse(time.RFC3339, answer.Text("details.reset")); err != nil {
		t.Error(err)
	}
	header(t, answer, "X-RateLimit-Limit", "2")
	header(t, answer, "X-RateLimit-Remaining", "0")
	header(t, answer, "RateLimit-Policy", `"api";q=2;w=3600`)
	header(t, answer, "RateLimit", `"api";r=0;t=`+strconv.Itoa(retry))
	if errs := a.Reports.Take(); len(errs) > 0 {
		t.Errorf("refusals were reported: %v", errs)
	}
}

func TestWhoIsCounted(t *testing.T) {
	a := apitest.New(t, limits("3/1h", "", "", ""))
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	session := a.SignedIn(t, ada)
	ada.Do(t, "GET /api/keys", nil).Want(t, http.StatusOK)
	if n := until(t, session, "GET /api/keys", nil); n != 2 {
		t.Errorf("%d requests by another way in, want the 2 that the user has left", n)
	}
	bob.Do(t, "GET /api/keys", nil).Want(t, http.StatusOK)
	if n := until(t, a.Anonymous(), "GET /api/keys", nil); n != 3 {
		t.Errorf("%d anonymous requests, want 3", n)
	}
	// A wrong key is nobody: it counts against the address.
	a.Anonymous().With("Authorization: Bearer x").Do(t, "GET /api/keys", nil).Want(t, http.StatusTooManyRequests)
	// What is not valid counts too: sending it takes our time all the same.
	bob.Do(t, "POST /api/keys", `{`).WantError(t, http.StatusBadRequest, "invalid_request")
	if n := until(t, bob, "POST /api/keys", `{}`); n != 1 {
		t.Errorf("%d more invalid requests, want 1", n)
	}
}

func TestReadingJobsCountsApart(t *testing.T) {
	a := apitest.New(t, limits("3/1h", "", "", "4/1h"))
	ada := a.User(t, "ada@example.com")
	job, _ := submit(t, ada)
	answer := ada.Do(t, "GET /api/jobs/"+job, nil).Want(t, http.StatusOK)
	header(t, answer, "X-RateLimit-Limit", "4")
	ada.Do(t, "GET /api/jobs", nil).Want(t, http.StatusOK)
	if n := until(t, ada, "GET /api/jobs/"+job, nil); n != 2 {
		t.Errorf("%d more looks, want 2", n)
	}
	if n := until(t, ada, "POST /api/jobs/"+job+"/cancel", nil); n != 2 {
		t.Errorf("%d cancels, want the 2 left after submitting", n)
	}
}

func TestAIWorkCountsTwice(t *testing.T) {
	a := apitest.New(t, limits("5/1h", "3/1h", "", ""))
	ada := a.User(t, "ada@example.com")
	job, _ := submit(t, ada)
	ada.Do(t, "POST /api/jobs/"+job+"/cancel", nil).Want(t, http.StatusOK)
	answer := ada.Do(t, "POST /api/jobs/"+job+"/retry", nil).Want(t, http.StatusAccepted)
	header(t, answer, "X-RateLimit-Limit", "3")
	header(t, answer, "X-RateLimit-Remaining", "1")
	submit(t, ada)
	answer = ada.Do(t, "POST /api/campaign", `{"prompt": "tea"}`).WantError(t, http.StatusTooManyRequests, "rate_limited")
	if answer.At("details.limit") != 3.0 {
		t.Errorf("%s, want the limit of AI work", answer.Body)
	}
	header(t, answer, "X-RateLimit-Limit", "3")
	ada.Do(t, "GET /api/keys", nil).Want(t, http.StatusTooManyRequests)
}

func TestTheScarcestLimitIsShown(t *testing.T) {
	a := apitest.New(t, limits("2/1h", "5/1h", "", ""))
	answer := a.User(t, "ada@example.com").Do(t, "POST /api/campaign", `{"prompt": "tea"}`).Want(t, http.StatusAccepted)
	header(t, answer, "X-RateLimit-Limit", "2")
	header(t, answer, "X-RateLimit-Remaining", "1")
}

// Each limit that a request counted against is listed, those that it never
// came to are not.
func TestEveryLimitIsListed(t *testing.T) {
	a := apitest.New(t, limits("9/15m", "2/1h", "3/10m", "5/1m"))
	ada := a.User(t, "ada@example.com")
	sent := map[string]string{"email": "bob@example.com", "password": "wrong"}
	for _, c := range []struct {
		line         string
		body         any
		policy, left string
	}{
		{"GET /api/keys", nil, `"api";q=9;w=900`, `"api";r=8;t=100`},
		{"GET /api/jobs", nil, `"poll";q=5;w=60`, `"poll";r=4;t=12`},
		{"POST /api/campaign", `{"prompt": "tea"}`, `"api";q=9;w=900, "ai";q=2;w=3600`, `"api";r=7;t=100, "ai";r=1;t=1800`},
		{"POST /api/campaign", `{`, `"api";q=9;w=900, "ai";q=2;w=3600`, `"api";r=6;t=100, "ai";r=0;t=1800`},
		{"POST /api/campaign", `{"prompt": "tea"}`, `"api";q=9;w=900, "ai";q=2;w=3600`, `"api";r=5;t=100, "ai";r=0;t=1800`},
		{"POST /api/auth/login", sent, `"auth-address";q=30;w=600, "auth-email";q=3;w=600`, `"auth-address";r=29;t=20, "auth-email";r=2;t=200`},
		{"GET /api/health", nil, "", ""},
		{"GET /nothing", nil, "", ""},
	} {
		answer := ada.Do(t, c.line, c.body)
		header(t, answer, "RateLimit-Policy", c.policy)
		if got := answer.Header.Get("RateLimit"); !isSooner(got, c.left) {
			t.Errorf("%s: RateLimit: %s, want %s or a little sooner", c.line, got, c.left)
		}
	}
}

var effectiveWindow = regexp.MustCompile(`;t=(\d+)`)

// isSooner compares RateLimit headers, of which got was sent a little later.
func isSooner(got, want string) bool {
	gotTimes, wantTimes := effectiveWindow.FindAllStringSubmatch(got, -1), effectiveWindow.FindAllStringSubmatch(want, -1)
	if effectiveWindow.ReplaceAllString(got, "") != effectiveWindow.ReplaceAllString(want, "") || len(gotTimes) != len(wantTimes) {
		return false
	}
	for i := range gotTimes {
		is, most := atoi(gotTimes[i][1]), atoi(wantTimes[i][1])
		if is < 1 || is > most || is < most/2 {
			return false
		}
	}
	return true
}

func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

// What a client may choose freely makes nobody of it.
func TestNoWayAroundTheLimits(t *testing.T) {
	trusted := func(s *apitest.Setup) { s.Config.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")} }
	from := func(i int) string { return "X-Forwarded-For: 203.0.113." + strconv.Itoa(i) }
	for name, c := range map[string]struct {
		change  func(*apitest.Setup)
		headers func(i int) []string
	}{
		"forwarded by nobody trusted": {func(*apitest.Setup) {}, func(i int) []string { return []string{from(i), "X-Real-IP: 203.0.113.9", "Forwarded: for=203.0.113.9"} }},
		"before what a proxy adds":    {trusted, func(i int) []string { return []string{from(i) + ", 198.51.100.7"} }},
		"another header": {trusted, func(i int) []string {
			return []string{"X-Forwarded-For: 198.51.100.7", "X-Real-IP: 203.0.113." + strconv.Itoa(i)}
		}},
		"only another header": {trusted, func(i int) []string { return []string{"X-Real-IP: 203.0.113." + strconv.Itoa(i)} }},
		"IPv6 within a /64":   {trusted, func(i int) []string { return []string{"X-Forwarded-For: 2001:db8:0:1::" + strconv.Itoa(i)} }},
		"IPv4 written as IPv6": {trusted, func(i int) []string {
			return []string{[]string{"X-Forwarded-For: 198.51.100.7", "X-Forwarded-For: ::ffff:198.51.100.7"}[i%2]}
		}},
		"wrong credentials": {trusted, func(i int) []string {
			return []string{"Authorization: Bearer " + strconv.Itoa(i), "Cookie: fanfare_session=" + strconv.Itoa(i)}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			nobody := apitest.New(t, limits("3/1h", "", "", ""), c.change).Anonymous()
			for i := range 3 {
				nobody.With(c.headers(i)...).Do(t, "GET /api/auth/session", nil).Want(t, http.StatusOK)
			}
			nobody.With(c.headers(4)...).Do(t, "GET /api/auth/session", nil).WantError(t, http.StatusTooManyRequests, "rate_limited")
		})
	}
	a := apitest.New(t, limits("1/1h", "", "", ""), trusted)
	for _, other := range []string{"2001:db8:0:1::1", "2001:db8:0:2::1", "198.51.100.7", "198.51.100.8"} {
		a.Anonymous().With("X-Forwarded-For: "+other).Do(t, "GET /api/auth/session", nil).Want(t, http.StatusOK)
	}
}

func login(email string) map[string]string {
	return map[string]string{"email": email, "password": "wrong"}
}

func TestSigningInIsLimited(t *testing.T) {
	a := apitest.New(t, limits("1/1h", "", "2/1h", ""))
	nobody := a.Anonymous()
	line := "POST /api/auth/login"
	answer := nobody.Do(t, line, login("ada@example.com")).Want(t, http.StatusUnauthorized)
	header(t, answer, "X-RateLimit-Limit", "2")
	header(t, answer, "X-RateLimit-Remaining", "1")
	nobody.Do(t, line, login(" ADA+x@Example.com")).Want(t, http.StatusUnauthorized)
	for _, again := range []string{"ada@example.com", "Ada@EXAMPLE.com", "ada+anything@example.com"} {
		nobody.Do(t, line, login(again)).WantError(t, http.StatusTooManyRequests, "rate_limited")
	}
	refused := nobody.Do(t, "POST /api/auth/register", ada).WantError(t, http.StatusTooManyRequests, "rate_limited")
	if refused.At("details.limit") != 2.0 {
		t.Errorf("%s", refused.Body)
	}
	// The address has 20, of which 6 are spent. None of it was API's 1.
	for i := range 14 {
		nobody.Do(t, line, login("a"+strconv.Itoa(i)+"@example.com")).Want(t, http.StatusUnauthorized)
	}
	last := nobody.Do(t, line, login("someone@example.com")).WantError(t, http.StatusTooManyRequests, "rate_limited")
	if last.At("details.limit") != 20.0 {
		t.Errorf("%s, want the limit of the address", last.Body)
	}
	nobody.Do(t, "GET /api/auth/session", nil).Want(t, http.StatusOK)
}

func TestHealthAndDocsDoNotCount(t *testing.T) {
	a := apitest.New(t, limits("1/1h", "", "", "1/1h"))
	nobody := a.Anonymous()
	until(t, nobody, "GET /api/auth/session", nil)
	for _, line := range []string{"GET /api/health", "GET /api/health/ready", "GET /api/health/live", "GET /health/ready", "GET /health/live", "GET /api/docs", "GET /api/openapi.json"} {
		for range 3 {
			answer := nobody.Do(t, line, nil).Want(t, http.StatusOK)
			header(t, answer, "X-RateLimit-Limit", "")
		}
	}
}

func TestLimitsWhileRedisIsDown(t *testing.T) {
	redis := testdb.OwnRedis(t)
	a := apitest.New(t, limits("1/1h", "", "2/1h", ""), func(s *apitest.Setup) { s.RedisURL = redis.URL() })
	ada := a.User(t, "ada@example.com")
	if err := redis.Kill(); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		answer := ada.Do(t, "GET /api/keys", nil).Want(t, http.StatusOK)
		header(t, answer, "X-RateLimit-Limit", "")
	}
	if n := until(t, a.Anonymous(), "POST /api/auth/login", login("ada@example.com")); n != 2 {
		t.Errorf("%d logins, want 2", n)
	}
	submit(t, ada) // and nothing is lost
	if n := a.Count(t, `SELECT count(*) FROM jobs WHERE status = 'queued'`); n != 1 {
		t.Errorf("%d queued jobs, want 1", n)
	}
}

func TestClientAddresses(t *testing.T) {
	for name, c := range map[string]struct {
		trusted string
		forward string
		want    string
	}{
		"no proxy is trusted":        {"", "203.0.113.7", "127.0.0.1"},
		"a trusted proxy":            {"127.0.0.0/8", "203.0.113.7", "203.0.113.7"},
		"what a client says of them": {"127.0.0.0/8", "198.51.100.1, 203.0.113.7", "203.0.113.7"},
		"proxies behind each other":  {"127.0.0.0/8,10.0.0.0/8", "203.0.113.7, 10.0.0.5", "203.0.113.7"},
		"nonsense":                   {"127.0.0.0/8", "x'; DROP", "127.0.0.1"},
		"IPv6":                       {"127.0.0.0/8", "2001:db8::7", "2001:db8::7"},
	} {
		t.Run(name, func(t *testing.T) {
			a := apitest.New(t, func(s *apitest.Setup) {
				for text := range strings.SplitSeq(c.trusted, ",") {
					if text != "" {
						s.Config.TrustedProxies = append(s.Config.TrustedProxies, netip.MustParsePrefix(text))
					}
				}
			})
			a.Anonymous().With("X-Forwarded-For: "+c.forward).Do(t, "POST /api/auth/login", login("ada@example.com")).Want(t, http.StatusUnauthorized)
			if audits := a.Audits(t); !slices.ContainsFunc(audits, func(r apitest.Audit) bool { return r.IPAddress == c.want }) {
				t.Errorf("audit records %v, want the address %s", audits, c.want)
			}
		})
	}
}
