package googleads

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
)

const (
	token    = "canary-0123456789"
	delivery = "0192f0c0-1111-7222-8333-444455556666"
)

// server is Google Ads as its documentation has it. Steps are named by the
// method's name, and whether it only validates.
type server struct {
	*conformance.Standin
	mu        sync.Mutex
	campaigns map[string]string // resources by name
	last      []map[string]map[string]map[string]any
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{campaigns: map[string]string{}}
	s.Standin = conformance.NewStandin(t, step, s.obey)
	return s
}

func step(r *http.Request) string {
	name := path.Base(r.URL.Path)
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	if strings.Contains(string(body), `"validateOnly":true`) {
		name += " check"
	}
	return name
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "/v26") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{
		"developerToken": "canary-developer", "customerId": "123-456-7890", "loginCustomerId": "9876543210",
		"clientId": "app", "clientSecret": "canary-secret", "refreshToken": "canary-refresh", "accessToken": token,
		"finalUrl": "https://shop.example/offer?a=b", "dailyBudget": "12.5", "euPoliticalAdvertising": "no",
	}
}

func (s *server) Taken() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.campaigns)
}

const mutate = "googleAds:mutate"

func (s *server) Behave(b conformance.Behaviour) {
	wrong := conformance.Act{Answer: says(http.StatusUnauthorized, "authenticationError", "OAUTH_TOKEN_INVALID")}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {mutate: {Answer: says(http.StatusBadRequest, "policyFindingError", "POLICY_FINDING")}},
		conformance.RateLimits:         {mutate: {Answer: says(http.StatusTooManyRequests, "quotaError", "RESOURCE_EXHAUSTED")}},
		conformance.RejectsCredentials: {mutate: wrong, "googleAds:search": wrong},
		conformance.StallsBefore:       {mutate: {Stall: true}},
		conformance.StallsAfter:        {mutate: {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {mutate: {Cut: true}},
		conformance.BreaksAfter:        {mutate: {Obey: true, Cut: true}},
	}[b])
}

// says quotes what it was shown.
func says(status int, kind, code string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
			"code": status, "message": "Request contains an invalid argument.", "details": []any{map[string]any{
				"@type": "type.googleapis.com/google.ads.googleads.v26.errors.GoogleAdsFailure",
				"errors": []any{map[string]any{
					"errorCode": map[string]string{kind: code},
					"message":   code + "\n" + r.Header.Get("Authorization") + r.Header.Get("Developer-Token") + " canary-secret canary-refresh",
				}},
			}},
		}})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	const account = "POST /v26/customers/1234567890/"
	switch route := r.Method + " " + r.URL.Path; {
	case r.Header.Get("Authorization") != "Bearer "+token:
		says(http.StatusUnauthorized, "authenticationError", "OAUTH_TOKEN_INVALID")(w, r)
	case r.Header.Get("Developer-Token") != "canary-developer" || r.Header.Get("Login-Customer-Id") != "9876543210":
		says(http.StatusForbidden, "authorizationError", "USER_PERMISSION_DENIED")(w, r)
	case route == account+"googleAds:search":
		s.search(w, r)
	case route == account+"googleAds:mutate":
		s.mutate(w, r)
	default:
		says(http.StatusNotFound, "requestError", "UNKNOWN")(w, r)
	}
}

func (s *server) search(w http.ResponseWriter, r *http.Request) {
	var in struct{ Query string }
	_ = json.NewDecoder(r.Body).Decode(&in)
	results := []any{}
	if name, ok := strings.CutPrefix(in.Query, "SELECT campaign.resource_name FROM campaign WHERE campaign.name = '"); ok {
		if resource := s.campaigns[strings.TrimSuffix(name, "'")]; resource != "" {
			results = append(results, map[string]any{"campaign": map[string]string{"resourceName": resource}})
		}
	} else if in.Query != "SELECT customer.id FROM customer LIMIT 1" {
		says(http.StatusBadRequest, "queryError", "UNEXPECTED_INPUT")(w, r)
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"results": results})
}

func (s *server) mutate(w http.ResponseWriter, r *http.Request) {
	var in struct {
		MutateOperations []map[string]map[string]map[string]any
		ValidateOnly     bool
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil || len(in.MutateOperations) != 4 {
		says(http.StatusBadRequest, "requestError", "UNKNOWN")(w, r)
		return
	}
	campaign := in.MutateOperations[1]["campaignOperation"]["create"]
	name, _ := campaign["name"].(string)
	switch {
	case campaign["status"] != "PAUSED" || name == "" || campaign["containsEuPoliticalAdvertising"] == nil:
		says(http.StatusBadRequest, "fieldError", "REQUIRED")(w, r)
	case s.campaigns[name] != "":
		says(http.StatusBadRequest, "campaignError", "DUPLICATE_CAMPAIGN_NAME")(w, r)
	case in.ValidateOnly:
		fmt.Fprint(w, `{}`)
	default:
		s.last = in.MutateOperations
		s.campaigns[name] = fmt.Sprintf("customers/1234567890/campaigns/%d", 100+len(s.campaigns))
		_ = json.NewEncoder(w).Encode(map[string]any{"mutateOperationResponses": []any{
			map[string]any{"campaignBudgetResult": map[string]string{"resourceName": "customers/1234567890/campaignBudgets/1"}},
			map[string]any{"campaignResult": map[string]string{"resourceName": s.campaigns[name]}},
		}})
	}
}

func advertising(headlines, descriptions int) fanfare.Outgoing {
	ad := &fanfare.PPCContent{}
	for i := range headlines {
		ad.Headlines = append(ad.Headlines, fmt.Sprintf("Tea %d", i))
	}
	for i := range descriptions {
		ad.Descriptions = append(ad.Descriptions, fmt.Sprintf("Fresh & green %d", i))
	}
	return fanfare.Outgoing{ID: delivery, Channel: fanfare.PPC, Content: fanfare.Content{PPC: ad}}
}

func TestConformance(t *testing.T) {
	tooMuch := advertising(3, 5).Content
	conformance.Run(t, conformance.Case{
		New:           func(o connector.Outside) connector.Connector { return New(o) },
		Peer:          func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:       advertising(3, 2),
		AnswerTaken:   fanfare.AnswerTaken,
		AnswerNothing: fanfare.AnswerRepeat,
		TooMuch:       &tooMuch,
		OneRequest:    true,
	})
}

func (s *server) open(t *testing.T) fanfare.Connection {
	t.Helper()
	connection, err := New(s.Outside()).Open(s.Credentials())
	if err != nil {
		t.Fatal(err)
	}
	return connection
}

func fateOf(err error) fanfare.Fate {
	if e, ok := errors.AsType[*fanfare.SendError](err); ok {
		return e.Fate
	}
	return "sent"
}

func TestWhatIsCreated(t *testing.T) {
	s := newServer(t)
	id, err := s.open(t).Send(t.Context(), advertising(3, 2))
	if err != nil || id != "customers/1234567890/campaigns/100" {
		t.Fatal(id, err)
	}
	const account = "customers/1234567890/"
	got := []any{}
	for _, operation := range s.last {
		for _, o := range operation {
			got = append(got, o["create"])
		}
	}
	says := func(text string) any { return map[string]any{"text": text} }
	name := "Fanfare " + delivery
	want := []any{
		map[string]any{"resourceName": account + "campaignBudgets/-1", "name": name, "amountMicros": "12500000", "deliveryMethod": "STANDARD", "explicitlyShared": false},
		map[string]any{
			"resourceName": account + "campaigns/-2", "name": name, "status": "PAUSED", "advertisingChannelType": "SEARCH",
			"campaignBudget": account + "campaignBudgets/-1", "targetSpend": map[string]any{}, "containsEuPoliticalAdvertising": "DOES_NOT_CONTAIN_EU_POLITICAL_ADVERTISING",
			"networkSettings": map[string]any{"targetGoogleSearch": true, "targetSearchNetwork": false, "targetContentNetwork": false},
		},
		map[string]any{"resourceName": account + "adGroups/-3", "name": name, "campaign": account + "campaigns/-2", "status": "ENABLED", "type": "SEARCH_STANDARD"},
		map[string]any{"adGroup": account + "adGroups/-3", "status": "ENABLED", "ad": map[string]any{
			"finalUrls": []any{"https://shop.example/offer?a=b"},
			"responsiveSearchAd": map[string]any{
				"headlines": []any{says("Tea 0"), says("Tea 1"), says("Tea 2")}, "descriptions": []any{says("Fresh & green 0"), says("Fresh & green 1")},
			},
		}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What Google would refuse is found by its own validation, which creates nothing.
func TestFits(t *testing.T) {
	for name, test := range map[string]struct {
		headlines, descriptions int
		act                     http.HandlerFunc
		want                    fanfare.Fate
		steps                   []string
	}{
		"fits":             {3, 2, nil, "sent", []string{mutate + " check"}},
		"most":             {15, 4, nil, "sent", []string{mutate + " check"}},
		"few headlines":    {2, 2, nil, fanfare.FateRefused, nil},
		"few descriptions": {3, 1, nil, fanfare.FateRefused, nil},
		"policy":           {3, 2, says(400, "policyFindingError", "POLICY_FINDING"), fanfare.FateRefused, []string{mutate + " check"}},
		"unavailable":      {3, 2, says(503, "internalError", "TRANSIENT_ERROR"), fanfare.FateHalted, []string{mutate + " check"}},
	} {
		s := newServer(t)
		if test.act != nil {
			s.Set(map[string]conformance.Act{mutate + " check": {Answer: test.act}})
		}
		fitter, ok := s.open(t).(fanfare.Fitter)
		if !ok {
			t.Fatal("a launch can't find out what fits")
		}
		err := fitter.Fits(t.Context(), advertising(test.headlines, test.descriptions).Content)
		if diff := cmp.Diff(test.steps, s.Steps()); diff != "" || fateOf(err) != test.want || s.Taken() != 0 {
			t.Errorf("%s: %v, %d campaigns, %s", name, err, s.Taken(), diff)
		}
	}
}

func TestFate(t *testing.T) {
	for name, test := range map[string]struct {
		acts map[string]conformance.Act
		want fanfare.Fate
	}{
		"permission":  {map[string]conformance.Act{mutate: {Answer: says(403, "authorizationError", "USER_PERMISSION_DENIED")}}, fanfare.FateUnauthorized},
		"unavailable": {map[string]conformance.Act{mutate: {Answer: says(503, "internalError", "TRANSIENT_ERROR")}}, fanfare.FateUnknown},
		"no answer":   {map[string]conformance.Act{mutate: {Answer: func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }}}, fanfare.FateUnknown},
		"taken, and not in sight": {map[string]conformance.Act{
			mutate: {Answer: says(400, "campaignBudgetError", "DUPLICATE_NAME")},
		}, fanfare.FateUnknown},
	} {
		s := newServer(t)
		s.Set(test.acts)
		if _, err := s.open(t).Send(t.Context(), advertising(3, 2)); fateOf(err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
	s := newServer(t)
	s.Set(map[string]conformance.Act{"googleAds:search": {Answer: says(503, "internalError", "TRANSIENT_ERROR")}})
	if answer, err := s.open(t).Ask(t.Context(), advertising(3, 2)); answer.State != fanfare.AnswerUnknown || fateOf(err) != fanfare.FateHalted {
		t.Errorf("who can't be asked says %+v, %v", answer, err)
	}
}

func TestCheck(t *testing.T) {
	for change, want := range map[string]string{
		"customerId=12": "customerId", "loginCustomerId=12345678901": "loginCustomerId", "finalUrl=shop.example": "finalUrl",
		"finalUrl=https://shop": "finalUrl", "finalUrl=https://me@shop.example": "finalUrl", "dailyBudget=0": "dailyBudget",
		"dailyBudget=0.00": "dailyBudget", "dailyBudget=1,5": "dailyBudget", "dailyBudget=1.234": "dailyBudget", "dailyBudget=-1": "dailyBudget",
		"euPoliticalAdvertising=maybe": "euPoliticalAdvertising",
	} {
		c := (&server{}).Credentials()
		name, value, _ := strings.Cut(change, "=")
		c[name] = value
		refusal, ok := errors.AsType[*fanfare.Error](New(connector.Outside{}).Check(c))
		if !ok || refusal.Fields[0].Field != "credentials."+want {
			t.Errorf("%s: %v", change, refusal)
		}
	}
	for amount, want := range map[string]string{"12.5": "12500000", "0.01": "10000", "7": "7000000", "1000.00": "1000000000", "": ""} {
		if got := micros(amount); got != want {
			t.Errorf("%q is %q", amount, got)
		}
	}
}

// Google renews by the app's secret in the form, and keeps the refresh token.
func TestRenew(t *testing.T) {
	s := newServer(t)
	s.Set(map[string]conformance.Act{"token": {Answer: func(w http.ResponseWriter, r *http.Request) {
		if r.PostFormValue("client_secret") != "canary-secret" || r.PostFormValue("refresh_token") != "canary-refresh" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		fmt.Fprint(w, `{"access_token":"new","expires_in":3599,"token_type":"Bearer"}`)
	}}})
	var renewer connector.Renewer = New(s.Outside())
	got, lasts, err := renewer.Renew(t.Context(), s.Credentials())
	if err != nil || got["accessToken"] != "new" || got["refreshToken"] != "canary-refresh" || lasts != 3599*time.Second {
		t.Error(lasts, err)
	}
}
