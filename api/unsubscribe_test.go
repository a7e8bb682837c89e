package api_test

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"fanfare/api"
	"fanfare/internal/apitest"
)

const oneClick = "List-Unsubscribe=One-Click"

func TestUnsubscribing(t *testing.T) {
	a := apitest.New(t)
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	nobody := a.Anonymous()
	link := a.Unsubscribe(ada.UserID, "email", "zoe+news@example.org")
	suppressed := func() int { return a.Count(t, `SELECT count(*) FROM suppressions`) }

	page := nobody.Do(t, "GET "+link, nil).Want(t, http.StatusOK)
	if !strings.Contains(page.Body, "z•••@example.org") || strings.Contains(page.Body, "zoe") || !strings.Contains(page.Body, "<button>") {
		t.Errorf("the page asks: %s", page.Body)
	}
	if suppressed() != 0 {
		t.Fatal("looking at the page has unsubscribed")
	}
	form := "Content-Type: application/x-www-form-urlencoded"
	for range 2 { // who clicks twice has unsubscribed
		done := nobody.With(form).Do(t, "POST "+link, oneClick).Want(t, http.StatusOK)
		if !strings.Contains(done.Body, "z•••@example.org will get no more e-mail") || strings.Contains(done.Body, "zoe") || strings.Contains(done.Body, "<button>") {
			t.Errorf("the page says: %s", done.Body)
		}
	}
	for address, want := range map[string]bool{"zoe+news@example.org": true, "zoe@example.org": false} {
		for _, user := range []string{ada.UserID, bob.UserID} {
			got, err := a.Store.Suppressed(t.Context(), user, "email", address)
			if err != nil || got != (want && user == ada.UserID) {
				t.Errorf("%s is suppressed: %t, %v", address, got, err)
			}
		}
	}
	if got := a.Text(t, `SELECT reason FROM suppressions`); suppressed() != 1 || got != "unsubscribed" {
		t.Errorf("%d suppressions for the reason %q", suppressed(), got)
	}
	if got := a.Count(t, `SELECT count(*) FROM audit_logs WHERE action = 'recipient.suppress' AND user_id = $1 AND status = 'success'
		AND resource IS NULL AND ip_address IS NULL AND user_agent IS NULL AND metadata = '{"channel": "email", "reason": "unsubscribed"}'`, ada.UserID); got != 1 {
		t.Errorf("%d audit records that tell of it and not of whom", got)
	}
	sms := a.Unsubscribe(ada.UserID, "sms", "+4915123456789")
	if done := nobody.Do(t, "POST "+sms, nil).Want(t, http.StatusOK); !strings.Contains(done.Body, "49•••89 will get no more text messages") {
		t.Errorf("%s", done.Body)
	}
	if log := a.Log.String(); strings.Contains(log, "zoe") || strings.Contains(log, link[len("/unsubscribe/"):]) || !strings.Contains(log, "/unsubscribe/:token") {
		t.Errorf("the log tells of a recipient: %s", log)
	}
}

// Mail providers and webmail post in ways that our own pages never do.
func TestWhoMayUnsubscribe(t *testing.T) {
	a := apitest.New(t, limits("1/1h", "1/1h", "1/1h", "1/1h"))
	ada := a.User(t, "ada@example.com")
	cookie := a.SignedIn(t, ada)
	form := "Content-Type: application/x-www-form-urlencoded"
	for i, c := range []struct {
		name    string
		client  *apitest.Client
		body    any
		headers []string
	}{
		{"a provider", a.Anonymous(), oneClick, []string{form}},
		{"a provider, as RFC 8058 prefers", a.Anonymous(), "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n",
			[]string{"Content-Type: multipart/form-data; boundary=b"}},
		{"webmail", a.Anonymous(), oneClick, []string{form, "Origin: https://mail.example", "Sec-Fetch-Site: cross-site"}},
		{"our page, whose referrer policy hides its origin", a.Anonymous(), oneClick, []string{form, "Origin: null"}},
		{"somebody who is signed in", cookie, oneClick, []string{form, "Origin: https://mail.example", "Sec-Fetch-Site: cross-site"}},
		{"a key that is none", a.Anonymous(), oneClick, []string{form, "Authorization: Bearer x"}},
		{"no body", a.Anonymous(), nil, nil},
		{"compressed", a.Anonymous(), "\x1f\x8b", []string{form, "Content-Encoding: gzip"}},
		{"no form", a.Anonymous(), "{", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := fmt.Sprintf("r%d@example.com", i)
			c.client.With(c.headers...).Do(t, "POST "+a.Unsubscribe(ada.UserID, "email", address), c.body).Want(t, http.StatusOK)
			if suppressed, err := a.Store.Suppressed(t.Context(), ada.UserID, "email", address); err != nil || !suppressed {
				t.Errorf("suppressed: %t, %v", suppressed, err)
			}
		})
	}
	// The way around the refusal is as narrow as that.
	foreign := []string{"Origin: https://evil.example"}
	run(t, cookie, []scenario{
		{name: "other routes", line: "POST /api/keys", body: `{"name": "k"}`, headers: foreign, status: 403, code: "forbidden"},
		{name: "beside it", line: "POST /unsubscribe", headers: foreign, status: 403, code: "forbidden"},
		{name: "through it", line: "POST /unsubscribe/../api/keys", body: `{"name": "k"}`, headers: foreign, status: 403, code: "forbidden"},
		{name: "other methods", line: "DELETE /unsubscribe/x", headers: foreign, status: 403, code: "forbidden"},
	})
}

func TestLinksThatDoNotUnsubscribe(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	link := a.Unsubscribe(ada.UserID, "email", "zoe@example.org")
	for name, path := range map[string]string{
		"cut": link[:len(link)-3], "changed": strings.Replace(link, link[20:22], "__", 1), "nonsense": "/unsubscribe/x", "encoded": "/unsubscribe/%3Cscript%3E",
	} {
		for _, method := range []string{"GET", "POST"} {
			page := a.Anonymous().Do(t, method+" "+path, nil).Want(t, http.StatusNotFound)
			if !strings.Contains(page.Body, "This link does not work") || strings.Contains(page.Body, "script") || strings.Contains(page.Body, "<form") {
				t.Errorf("%s: %s", name, page.Body)
			}
			header(t, page, "Content-Type", "text/html; charset=utf-8")
		}
	}
	if n := a.Count(t, `SELECT count(*) FROM suppressions`); n != 0 {
		t.Errorf("%d suppressions", n)
	}
	a.Exec(t, `DELETE FROM users`) // who is gone sends nothing
	a.Anonymous().Do(t, "POST "+link, oneClick).Want(t, http.StatusOK)
	if n := a.Count(t, `SELECT count(*) FROM audit_logs WHERE action = 'recipient.suppress'`); n != 0 {
		t.Errorf("%d audit records of what nobody did", n)
	}
}

// The page needs nothing from elsewhere, and neither leaks where it is nor
// stays in a cache.
func TestThePageForUnsubscribing(t *testing.T) {
	a := apitest.New(t)
	page := a.Anonymous().Do(t, "GET "+a.Unsubscribe(a.User(t, "ada@example.com").UserID, "email", "<b>\"&'@example.org"), nil).Want(t, http.StatusOK)
	style := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(page.Body)
	if len(style) != 2 {
		t.Fatalf("no style: %s", page.Body)
	}
	digest := sha256.Sum256([]byte(style[1]))
	header(t, page, "Content-Security-Policy", "default-src 'none'; style-src 'sha256-"+base64.StdEncoding.EncodeToString(digest[:])+
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
	header(t, page, "Content-Type", "text/html; charset=utf-8")
	header(t, page, "Referrer-Policy", "no-referrer")
	header(t, page, "Cache-Control", "no-cache, no-store, must-revalidate")
	header(t, page, "Set-Cookie", "")
	if found := regexp.MustCompile(`(?i)https?:|src=|href=|<script|url\(|<b>`).FindAllString(page.Body, -1); len(found) > 0 {
		t.Errorf("the page has %q", found)
	}
	if !strings.Contains(page.Body, "color-scheme: light dark") || !strings.Contains(page.Body, `<html lang="en">`) {
		t.Errorf("%s", page.Body)
	}
}

// A provider that is told so tries again, and then the record is written too.
func TestUnsubscribingIsAuditedOrNotDone(t *testing.T) {
	a := apitest.New(t, func(s *apitest.Setup) {
		s.Wrap = func(d *api.Deps) { d.Store = unaudited{d.Store} }
	})
	link := a.Unsubscribe(a.User(t, "ada@example.com").UserID, "email", "zoe@example.org")
	a.Anonymous().Do(t, "POST "+link, oneClick).WantError(t, http.StatusInternalServerError, "internal")
	if n := a.Count(t, `SELECT count(*) FROM suppressions`); n != 0 {
		t.Errorf("%d suppressions without a record", n)
	}
}
