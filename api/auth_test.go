package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare/api"
	"fanfare/internal/apitest"
)

const (
	password = "Correct-horse-7-battery"
	ada      = `{"name": "Ada Lovelace", "email": "Ada@Example.com", "password": "` + password + `"}`
	adaLogin = `{"email": "ada@example.com", "password": "` + password + `"}`
)

func TestRegister(t *testing.T) {
	a := apitest.New(t)
	nobody := a.Anonymous()
	answer := nobody.Do(t, "POST /api/auth/register", ada).Want(t, http.StatusCreated)
	same(t, "fields", answer.Keys(""), []string{"id", "name", "email", "createdAt"})
	if answer.Text("email") != "ada@example.com" || answer.Text("name") != "Ada Lovelace" || answer.Header.Get("Set-Cookie") != "" {
		t.Errorf("%s, %v", answer.Body, answer.Header)
	}
	register := func(name, email, password string) map[string]string {
		return map[string]string{"name": name, "email": email, "password": password}
	}
	line := "POST /api/auth/register"
	run(t, nobody, []scenario{
		{name: "taken", line: line, body: ada, status: 400, code: "user_exists", want: `"error":"User already exists"`},
		{name: "taken in capitals", line: line, body: register("Ada", " ADA@EXAMPLE.COM ", password), status: 400, code: "user_exists"},
		{name: "nothing", line: line, body: `{}`, status: 400, code: "invalid_request", want: `{"field":"password","message":"is required"}`},
		{name: "short name", line: line, body: register(" A ", "b@example.com", password), status: 400, code: "invalid_request", want: `"field":"name","message":"must have 2 to 100 characters"`},
		{name: "long name", line: line, body: register(strings.Repeat("ä", 101), "b@example.com", password), status: 400, code: "invalid_request", want: `"field":"name"`},
		{name: "name of two lines", line: line, body: register("A\x07da", "b@example.com", password), status: 400, code: "invalid_request", want: `"field":"name"`},
		{name: "no address", line: line, body: register("Ada", "ada", password), status: 400, code: "invalid_request", want: `"field":"email","message":"must be an e-mail address`},
		{name: "long address", line: line, body: register("Ada", strings.Repeat("a", 1001)+"@example.com", password), status: 400, code: "invalid_request", want: `"field":"email"`},
		{name: "short password", line: line, body: register("Ada", "b@example.com", "Ab1!"), status: 400, code: "invalid_request", want: "must have at least 8 characters"},
		{name: "long password", line: line, body: register("Ada", "b@example.com", "Ab1!"+strings.Repeat("x", 97)), status: 400, code: "invalid_request", want: "must have at most 100 characters"},
		{name: "no capital", line: line, body: register("Ada", "b@example.com", "abcdefg1!x"), status: 400, code: "invalid_request", want: "must contain an upper-case letter"},
		{name: "no sign", line: line, body: register("Ada", "b@example.com", "Abcdefgh1x"), status: 400, code: "invalid_request", want: "must contain a sign"},
		{name: "common password", line: line, body: register("Ada", "b@example.com", "Password123!"), status: 400, code: "invalid_request", want: "common password"},
		{name: "longest name", line: line, body: register(strings.Repeat("ä", 100), "c@example.com", password), status: 201},
		{name: "longest password", line: line, body: register("Ada", "d@example.com", "Ab1!"+strings.Repeat("xyzvw ", 16)), status: 201},
	})
	if log := a.Log.String(); strings.Contains(log, password) || strings.Contains(log, "example.com") {
		t.Errorf("the log tells too much: %s", log)
	}
}

func cookieOf(t *testing.T, answer *apitest.Answer) *http.Cookie {
	t.Helper()
	cookies := (&http.Response{Header: answer.Header}).Cookies()
	if len(cookies) != 1 {
		t.Fatalf("cookies %v, want one", cookies)
	}
	return cookies[0]
}

func TestSession(t *testing.T) {
	a := apitest.New(t)
	nobody := a.Anonymous()
	nobody.Do(t, "POST /api/auth/register", ada).Want(t, http.StatusCreated)

	answer := nobody.Do(t, "POST /api/auth/login", adaLogin).Want(t, http.StatusOK)
	same(t, "login", answer.Keys(""), []string{"user", "expires"})
	first := cookieOf(t, answer)
	if !first.HttpOnly || first.SameSite != http.SameSiteLaxMode || first.Path != "/" || first.Secure || first.Domain != "" || len(first.Value) < 43 {
		t.Errorf("cookie %v", first)
	}
	signedIn := nobody.With("Cookie: " + first.Name + "=" + first.Value)
	session := signedIn.Do(t, "GET /api/auth/session", nil).Want(t, http.StatusOK)
	if expires, err := time.Parse(time.RFC3339, session.Text("expires")); err != nil || session.Text("user.email") != "ada@example.com" || time.Until(expires) < time.Hour {
		t.Errorf("session: %s, %v", session.Body, err)
	}

	second := cookieOf(t, signedIn.Do(t, "POST /api/auth/login", adaLogin).Want(t, http.StatusOK))
	if second.Value == first.Value {
		t.Error("signing in keeps the old session's token")
	}
	signedIn.Do(t, "GET /api/keys", nil).WantError(t, http.StatusUnauthorized, "unauthorized")

	signedIn = nobody.With("Cookie: " + second.Name + "=" + second.Value)
	signedIn.Do(t, "GET /api/keys", nil).Want(t, http.StatusOK)
	out := signedIn.Do(t, "POST /api/auth/logout", nil).Want(t, http.StatusNoContent)
	if gone := cookieOf(t, out); gone.Value != "" || gone.Expires.After(time.Now()) || gone.MaxAge >= 0 || !gone.HttpOnly || gone.Path != "/" {
		t.Errorf("cookie after signing out: %v", gone)
	}
	signedIn.Do(t, "GET /api/keys", nil).WantError(t, http.StatusUnauthorized, "unauthorized")
	for _, line := range []string{"GET /api/auth/session", "POST /api/auth/logout"} {
		signedIn.Do(t, line, nil)
	}
	if again := signedIn.Do(t, "GET /api/auth/session", nil).Want(t, http.StatusOK); strings.TrimSpace(again.Body) != "{}" {
		t.Errorf("session after signing out: %s", again.Body)
	}
}

func TestCookieInProduction(t *testing.T) {
	a := apitest.New(t, func(s *apitest.Setup) { s.Config.SecureCookies = true })
	a.Anonymous().Do(t, "POST /api/auth/register", ada).Want(t, http.StatusCreated)
	cookie := cookieOf(t, a.Anonymous().Do(t, "POST /api/auth/login", adaLogin).Want(t, http.StatusOK))
	if !strings.HasPrefix(cookie.Name, "__Host-") || !cookie.Secure || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("cookie %v", cookie)
	}
	a.Anonymous().With("Cookie: "+cookie.Name+"="+cookie.Value).Do(t, "GET /api/keys", nil).Want(t, http.StatusOK)
}

// counting counts how often a hash is worked on, which is what takes time.
type counting struct {
	api.Passwords
	hashes *int
}

func (c counting) Verify(ctx context.Context, hash, password string) (ok, rehash bool, err error) {
	*c.hashes++
	return c.Passwords.Verify(ctx, hash, password)
}

func (c counting) VerifyNobody(ctx context.Context, password string) error {
	*c.hashes++
	return c.Passwords.VerifyNobody(ctx, password)
}

// Who tries addresses learns nothing: not by the answer, and not by the time
// that it takes.
func TestRefusedLoginsAreAlike(t *testing.T) {
	hashes := 0
	a := apitest.New(t, func(s *apitest.Setup) {
		s.Wrap = func(d *api.Deps) { d.Passwords = counting{d.Passwords, &hashes} }
	})
	nobody := a.Anonymous().With("X-Request-Id: same")
	nobody.Do(t, "POST /api/auth/register", ada).Want(t, http.StatusCreated)
	nobody.Do(t, "POST /api/auth/register", strings.Replace(ada, "Ada@", "gone@", 1)).Want(t, http.StatusCreated)
	a.Exec(t, `UPDATE users SET disabled_at = now() WHERE email = 'gone@example.com'`)

	var bodies []string
	for _, body := range []string{
		strings.Replace(adaLogin, password, "wrong", 1), strings.Replace(adaLogin, "ada@", "nobody@", 1), strings.Replace(adaLogin, "ada@", "gone@", 1),
	} {
		before := hashes
		answer := nobody.Do(t, "POST /api/auth/login", body).WantError(t, http.StatusUnauthorized, "unauthorized")
		if hashes-before != 1 {
			t.Errorf("%s: %d hashes were worked on, want 1", body, hashes-before)
		}
		if answer.Header.Get("Set-Cookie") != "" {
			t.Error("a refused login sets a cookie")
		}
		bodies = append(bodies, answer.Body)
	}
	if bodies[0] != bodies[1] || bodies[0] != bodies[2] {
		t.Errorf("the answers differ: %q", bodies)
	}
}

func TestDisabledUsersAreOut(t *testing.T) {
	a := apitest.New(t)
	key := a.User(t, "ada@example.com")
	session := a.SignedIn(t, key)
	session.Do(t, "GET /api/keys", nil).Want(t, http.StatusOK)
	a.Exec(t, `UPDATE users SET disabled_at = now()`)
	key.Do(t, "GET /api/keys", nil).WantError(t, http.StatusUnauthorized, "unauthorized")
	answer := session.Do(t, "GET /api/keys", nil).WantError(t, http.StatusUnauthorized, "unauthorized")
	header(t, answer, "WWW-Authenticate", "Bearer")
}

func TestAPIKeys(t *testing.T) {
	a := apitest.New(t)
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	answer := ada.Do(t, "POST /api/keys", `{"name": "  for the\nbuild "}`).Want(t, http.StatusCreated)
	same(t, "fields", answer.Keys(""), []string{"id", "name", "key", "createdAt"})
	if answer.Text("name") != "for the build" {
		t.Errorf("name %q", answer.Text("name"))
	}
	id, secret := answer.Text("id"), answer.Text("key")
	program := a.Anonymous().With("Authorization: bearer " + secret)
	list := program.Do(t, "GET /api/keys", nil).Want(t, http.StatusOK)
	same(t, "fields of a list", list.Keys("0"), []string{"id", "name", "createdAt", "lastUsedAt"})
	if strings.Contains(list.Body, secret) || list.Text("0.id") != id || list.Text("0.lastUsedAt") == "" {
		t.Errorf("list %s", list.Body)
	}
	if session := program.Do(t, "GET /api/auth/session", nil).Want(t, http.StatusOK); session.Text("user.email") != "ada@example.com" {
		t.Errorf("session of a key: %s", session.Body)
	}
	run(t, ada, []scenario{
		{name: "no name", line: "POST /api/keys", body: `{"name": " "}`, status: 400, code: "invalid_request", want: "must have 1 to 100 characters"},
		{name: "long name", line: "POST /api/keys", body: `{"name": "` + strings.Repeat("a", 101) + `"}`, status: 400, code: "invalid_request"},
		{name: "another's session cookie as key", line: "GET /api/keys", headers: []string{"Authorization: Bearer " + id}, status: 401, code: "unauthorized"},
	})
	bob.Do(t, "DELETE /api/keys/"+id, nil).WantError(t, http.StatusNotFound, "not_found")
	ada.Do(t, "DELETE /api/keys/"+id, nil).Want(t, http.StatusNoContent)
	program.Do(t, "GET /api/keys", nil).WantError(t, http.StatusUnauthorized, "unauthorized")
	ada.Do(t, "DELETE /api/keys/"+id, nil).WantError(t, http.StatusNotFound, "not_found")
	if log := a.Log.String(); strings.Contains(log, secret) {
		t.Error("the log holds a key")
	}
}

func TestWhatIsAudited(t *testing.T) {
	a := apitest.New(t)
	nobody := a.Anonymous().With("User-Agent: test/1.0\ttab")
	id := nobody.Do(t, "POST /api/auth/register", ada).Want(t, http.StatusCreated).Text("id")
	nobody.Do(t, "POST /api/auth/login", strings.Replace(adaLogin, password, "wrong", 1)).Want(t, http.StatusUnauthorized)
	nobody.Do(t, "POST /api/auth/login", strings.Replace(adaLogin, "ada@", "nobody@", 1)).Want(t, http.StatusUnauthorized)
	cookie := cookieOf(t, nobody.Do(t, "POST /api/auth/login", adaLogin).Want(t, http.StatusOK))
	ada := nobody.With("Cookie: " + cookie.Name + "=" + cookie.Value)
	key := ada.Do(t, "POST /api/keys", `{"name": "k"}`).Want(t, http.StatusCreated).Text("id")
	ada.Do(t, "DELETE /api/keys/"+strings.ToUpper(key), nil).Want(t, http.StatusNoContent)
	ada.Do(t, "DELETE /api/keys/"+key, nil).Want(t, http.StatusNotFound)
	job, campaign := submit(t, ada)
	ada.Do(t, "POST /api/jobs/"+job+"/cancel", nil).Want(t, http.StatusOK)
	ada.Do(t, "POST /api/jobs/"+job+"/cancel", nil).Want(t, http.StatusOK)
	again := ada.Do(t, "POST /api/jobs/"+job+"/retry", nil).Want(t, http.StatusAccepted).Text("job.id")
	a.End(t, again, "failed")
	ada.Do(t, "PATCH /api/campaign/"+campaign, `{"goal": "Sell coffee"}`).Want(t, http.StatusOK)
	ada.Do(t, "DELETE /api/campaign/"+campaign, nil).Want(t, http.StatusNoContent)
	ada.Do(t, "POST /api/auth/logout", nil).Want(t, http.StatusNoContent)

	var want []apitest.Audit
	for _, r := range []struct{ action, status, user, resource string }{
		{"user.register", "success", id, id},
		{"user.login", "failure", id, id},
		{"user.login", "failure", "", ""},
		{"user.login", "success", id, id},
		{"key.create", "success", id, key},
		{"key.delete", "success", id, key},
		{"campaign.create", "success", id, campaign},
		{"job.cancel", "success", id, job},
		{"job.retry", "success", id, again},
		{"campaign.update", "success", id, campaign},
		{"campaign.delete", "success", id, campaign},
		{"user.logout", "success", id, id},
	} {
		want = append(want, apitest.Audit{
			Action: r.action, Status: r.status, UserID: r.user, Resource: r.resource, IPAddress: "127.0.0.1", UserAgent: "test/1.0tab",
		})
	}
	if diff := cmp.Diff(want, a.Audits(t)); diff != "" {
		t.Errorf("audit records (-want +got):\n%s", diff)
	}
}
