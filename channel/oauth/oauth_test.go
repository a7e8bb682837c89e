package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/egress"
)

func credentials() fanfare.Credentials {
	return fanfare.Credentials{
		"clientId": "app 1", "clientSecret": "canary-secret+", "refreshToken": "canary-refresh", "accessToken": "canary-old", "account": "7",
	}
}

func serve(t *testing.T, handler http.HandlerFunc) Endpoint {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return Endpoint{
		Name: "Post", URL: server.URL + "/token", Patience: 10 * time.Second,
		Client: egress.NewClient(egress.NewDialer(true, nil).DialContext, nil),
	}
}

func TestRenew(t *testing.T) {
	for name, test := range map[string]struct {
		basic       bool
		answer      string
		wantForm    string
		wantHeader  string
		wantAccess  string
		wantRefresh string
		wantLife    time.Duration
	}{
		"in the form": {
			answer:     `{"access_token":"new","expires_in":7200,"token_type":"bearer"}`,
			wantForm:   "client_id=app+1&client_secret=canary-secret%2B&grant_type=refresh_token&refresh_token=canary-refresh",
			wantAccess: "new", wantRefresh: "canary-refresh", wantLife: 2 * time.Hour,
		},
		"in the header, rotating": {
			basic: true, answer: `{"access_token":"new","refresh_token":"next"}`,
			wantForm: "client_id=app+1&grant_type=refresh_token&refresh_token=canary-refresh", wantHeader: "app+1:canary-secret%2B",
			wantAccess: "new", wantRefresh: "next", wantLife: time.Hour,
		},
	} {
		e := serve(t, func(w http.ResponseWriter, r *http.Request) {
			user, secret, _ := r.BasicAuth()
			if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || r.URL.Path != "/token" {
				t.Error(r.Method, r.URL, err)
			}
			if diff := cmp.Diff(test.wantForm, r.PostForm.Encode()); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
			if got := user + ":" + secret; got != test.wantHeader && got != ":" {
				t.Errorf("%s: %s", name, got)
			}
			fmt.Fprint(w, test.answer)
		})
		e.Basic = test.basic
		given := credentials()
		got, lasts, err := e.Renew(t.Context(), given)
		want := credentials()
		want["accessToken"], want["refreshToken"] = test.wantAccess, test.wantRefresh
		if diff := cmp.Diff(map[string]string(want), map[string]string(got)); diff != "" || err != nil || lasts != test.wantLife {
			t.Errorf("%s: %v, %v, %s", name, lasts, err, diff)
		}
		if diff := cmp.Diff(map[string]string(credentials()), map[string]string(given)); diff != "" {
			t.Errorf("%s: what was given has changed: %s", name, diff)
		}
	}
}

// What a provider says no to needs a person; all else may pass.
func TestRenewFails(t *testing.T) {
	for name, test := range map[string]struct {
		status int
		body   string
		want   fanfare.Fate
		says   string
	}{
		"revoked":       {400, `{"error":"invalid_grant","error_description":"revoked canary-refresh"}`, fanfare.FateUnauthorized, "invalid_grant revoked [removed]"},
		"wrong client":  {401, `{"error":"invalid_client"}`, fanfare.FateUnauthorized, "connect Post again"},
		"a firewall's":  {403, `canary-secret%2B`, fanfare.FateHalted, "answered 403"},
		"not there":     {404, `{"error":"not_found"}`, fanfare.FateHalted, "answered 404"},
		"a page":        {400, `<html>canary-refresh`, fanfare.FateHalted, "answered 400"},
		"unnamed":       {401, `{"message":"canary-refresh"}`, fanfare.FateHalted, "answered 401"},
		"busy":          {400, `{"error":"temporarily_unavailable"}`, fanfare.FateHalted, "temporarily_unavailable"},
		"too often":     {429, `{"error":"slow_down"}`, fanfare.FateHalted, "slow_down"},
		"broken":        {500, `canary-secret+`, fanfare.FateHalted, "answered 500"},
		"moved":         {302, ``, fanfare.FateHalted, "answered 302"},
		"no JSON":       {200, `<html>canary-refresh`, fanfare.FateDeferred, "not as expected"},
		"without token": {200, `{"token_type":"bearer"}`, fanfare.FateHalted, "without an access token"},
	} {
		e := serve(t, func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(test.status)
			fmt.Fprint(w, test.body)
		})
		got, _, err := e.Renew(t.Context(), credentials())
		refusal, ok := errors.AsType[*fanfare.SendError](err)
		if !ok || got != nil || refusal.Fate != test.want || !strings.Contains(refusal.Reason, test.says) {
			t.Errorf("%s: %v, %v", name, got, err)
		}
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), "canary") {
			t.Errorf("%s: a credential got out: %v", name, err)
		}
	}
	var e Endpoint
	if c := credentials(); !e.Renews(c) || e.Renews(fanfare.Credentials{"accessToken": "canary"}) {
		t.Error("what can be renewed is what has a refresh token")
	}
}
