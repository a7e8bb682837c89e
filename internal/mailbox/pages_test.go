package mailbox_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"fanfare/internal/mailbox"
)

const hostile = "Subject: <script>alert(1)</script>\r\nList-Unsubscribe: <mailto:a@b.example>, <https://shop.example/u?a=1>\r\n" +
	"Content-Type: text/html\r\n\r\n<p>Hello</p><script>alert(2)</script>\r\n"

func TestPages(t *testing.T) {
	box := start(t, mailbox.Options{})
	if err := send(t, box, nil, hostile); err != nil {
		t.Fatal(err)
	}
	for path, test := range map[string]struct {
		status                 int
		shows, hides, policies []string
	}{
		"/":          {status: 200, shows: []string{"&lt;script&gt;alert(1)", "ada@example.com, bob@example.com"}, hides: []string{"<script"}},
		"/1":         {status: 200, shows: []string{`src="/1/html" sandbox`, `href="https://shop.example/u?a=1"`}, hides: []string{"<script", "mailto:a@b.example\""}},
		"/1/html":    {status: 200, shows: []string{"<p>Hello</p>"}, policies: []string{"; sandbox"}},
		"/1/raw":     {status: 200, shows: []string{hostile}},
		"/style.css": {status: 200, shows: []string{"color-scheme: light dark"}},
		"/2":         {status: 404},
		"/none":      {status: 404},
	} {
		t.Run(path, func(t *testing.T) {
			w := answer(box, "127.0.0.1:8025", path)
			if w.Code != test.status {
				t.Fatalf("answered %d, want %d", w.Code, test.status)
			}
			for _, text := range test.shows {
				if !strings.Contains(w.Body.String(), text) {
					t.Errorf("does not show %q:\n%s", text, w.Body)
				}
			}
			for _, text := range test.hides {
				if strings.Contains(w.Body.String(), text) {
					t.Errorf("has %q:\n%s", text, w.Body)
				}
			}
			for _, text := range append(test.policies, "default-src 'none'") {
				if policy := w.Header().Get("Content-Security-Policy"); !strings.Contains(policy, text) || strings.Contains(policy, "script-src") {
					t.Errorf("the policy %q lacks %q, or lets scripts run", policy, text)
				}
			}
			if strings.HasSuffix(path, "raw") && !strings.HasPrefix(w.Header().Get("Content-Type"), "text/plain") {
				t.Errorf("a raw message is %s", w.Header().Get("Content-Type"))
			}
		})
	}
}

func TestPagesAreLocal(t *testing.T) {
	box := start(t, mailbox.Options{})
	for host, want := range map[string]int{
		"127.0.0.1:8025": 200, "localhost:8025": 200, "localhost": 200, "[::1]:8025": 200, "[::1]": 200,
		"rebound.example:8025": 403, "localhost.example": 403, "192.0.2.1": 403, "": 403,
	} {
		if got := answer(box, host, "/").Code; got != want {
			t.Errorf("Host %q: answered %d, want %d", host, got, want)
		}
	}
}

func answer(box *mailbox.Mailbox, host, path string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Host = host
	box.Handler().ServeHTTP(w, r)
	return w
}
