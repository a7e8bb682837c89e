package metaads

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

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel/conformance"
	"fanfare/channel/connector"
)

const (
	token    = "canary-0123456789"
	account  = "/v24.0/act_42"
	delivery = "0192f0c0-1111-7222-8333-444455556666"
)

// thing is what an account has: a campaign, an ad set, a creative or an ad.
type thing struct {
	id, edge string
	fields   map[string]any
}

// server is the Marketing API as its documentation has it. Steps are named by
// method and the path's last part, and whether it only validates.
type server struct {
	*conformance.Standin
	mu     sync.Mutex
	things []thing
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Standin = conformance.NewStandin(t, step, s.obey)
	return s
}

func step(r *http.Request) string {
	name := r.Method + " " + path.Base(r.URL.Path)
	body, _ := io.ReadAll(r.Body)
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	if strings.Contains(string(body), `"execution_options":["validate_only"]`) {
		name += " check"
	}
	return name
}

func (s *server) Outside() connector.Outside { return s.Standin.Outside(name, "/v24.0") }

func (s *server) Credentials() fanfare.Credentials {
	return fanfare.Credentials{
		"adAccountId": "act_42", "pageId": "77", "accessToken": token, "finalUrl": "https://shop.example/offer",
		"dailyBudget": "1250", "countries": "DE, AT", "specialAdCategories": "NONE", "advertiser": "Tea Ltd",
	}
}

func (s *server) count(edge string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, t := range s.things {
		if t.edge == edge {
			n++
		}
	}
	return n
}

func (s *server) Taken() int { return s.count("ads") }

func (s *server) Behave(b conformance.Behaviour) {
	wrong := conformance.Act{Answer: says(400, 190, "Error validating access token")}
	s.Set(map[conformance.Behaviour]map[string]conformance.Act{
		conformance.Refuses:            {"POST adcreatives": {Answer: says(400, 100, "Invalid parameter")}},
		conformance.RateLimits:         {"POST adsets": {Answer: says(400, 80004, "too many calls to this ad-account")}},
		conformance.RejectsCredentials: {"GET act_42": wrong, "GET campaigns": wrong},
		conformance.StallsBefore:       {"POST ads": {Stall: true}},
		conformance.StallsAfter:        {"POST ads": {Obey: true, Stall: true}},
		conformance.BreaksBefore:       {"POST ads": {Cut: true}},
		conformance.BreaksAfter:        {"POST ads": {Obey: true, Cut: true}},
	}[b])
}

// says quotes what it was shown.
func says(status, code int, problem string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
			"message": problem, "code": code, "error_user_title": "No", "error_user_msg": problem + "\n" + r.Header.Get("Authorization"),
		}})
	}
}

func (s *server) obey(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edge, below := strings.CutPrefix(r.URL.Path, account+"/")
	switch {
	case r.Header.Get("Authorization") != "Bearer "+token:
		says(400, 190, "Error validating access token")(w, r)
	case r.Method == http.MethodGet && r.URL.Path == account:
		fmt.Fprint(w, `{"account_status":1,"id":"act_42"}`)
	case below && r.Method == http.MethodGet:
		s.list(w, r, edge)
	case below && r.Method == http.MethodPost:
		s.create(w, r, edge)
	default:
		says(400, 100, "Unsupported request")(w, r)
	}
}

func (s *server) list(w http.ResponseWriter, r *http.Request, edge string) {
	var filter []struct{ Field, Operator, Value string }
	if json.Unmarshal([]byte(r.FormValue("filtering")), &filter) != nil || len(filter) != 1 || filter[0].Field != "name" || filter[0].Operator != "EQUAL" {
		says(400, 100, "Invalid parameter")(w, r)
		return
	}
	found := []any{}
	for _, t := range s.things {
		if t.edge == edge && t.fields["name"] == filter[0].Value {
			found = append(found, map[string]any{"id": t.id, "name": t.fields["name"]})
		}
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": found})
}

var needed = map[string][]string{
	"campaigns":   {"name", "objective", "status", "special_ad_categories", "is_adset_budget_sharing_enabled"},
	"adsets":      {"name", "campaign_id", "status", "daily_budget", "billing_event", "optimization_goal", "targeting"},
	"adcreatives": {"name", "object_story_spec"},
	"ads":         {"name", "adset_id", "creative", "status"},
}

func (s *server) create(w http.ResponseWriter, r *http.Request, edge string) {
	var in map[string]any
	err := json.NewDecoder(r.Body).Decode(&in)
	for _, field := range needed[edge] {
		if in[field] == nil || field == "status" && in[field] != "PAUSED" {
			err = errors.New(field)
		}
	}
	if err != nil || needed[edge] == nil {
		says(400, 100, "Invalid parameter")(w, r)
		return
	}
	if in["execution_options"] != nil {
		fmt.Fprint(w, `{"success":true}`)
		return
	}
	t := thing{fmt.Sprint(100 + len(s.things)), edge, in}
	s.things = append(s.things, t)
	_ = json.NewEncoder(w).Encode(map[string]string{"id": t.id})
}

func advertising() fanfare.Outgoing {
	return fanfare.Outgoing{ID: delivery, Channel: fanfare.PPC, Content: fanfare.Content{PPC: &fanfare.PPCContent{
		Headlines: []string{"Tea & cake", "More tea"}, Descriptions: []string{"Fresh.", "Green."},
	}}}
}

func TestConformance(t *testing.T) {
	nothing := fanfare.Content{PPC: &fanfare.PPCContent{Headlines: []string{"Tea"}}}
	conformance.Run(t, conformance.Case{
		New:         func(o connector.Outside) connector.Connector { return New(o) },
		Peer:        func(t *testing.T) conformance.Peer { return newServer(t) },
		Message:     advertising(),
		AnswerTaken: fanfare.AnswerTaken,
		TooMuch:     &nothing,
		OneRequest:  true,
	})
}

func (s *server) open(t *testing.T, changes ...string) fanfare.Connection {
	t.Helper()
	c := s.Credentials()
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		c[name] = value
	}
	connection, err := New(s.Outside()).Open(c)
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
	if id, err := s.open(t, "specialAdCategories=HOUSING,EMPLOYMENT").Send(t.Context(), advertising()); err != nil || id != "103" {
		t.Fatal(id, err)
	}
	got := []any{}
	for _, t := range s.things {
		delete(t.fields, "name")
		got = append(got, t.fields)
	}
	type object = map[string]any
	want := []any{
		object{
			"objective": "OUTCOME_TRAFFIC", "status": "PAUSED", "is_adset_budget_sharing_enabled": false,
			"special_ad_categories": []any{"HOUSING", "EMPLOYMENT"}, "special_ad_category_country": []any{"DE", "AT"},
		},
		object{
			"campaign_id": "100", "status": "PAUSED", "daily_budget": "1250", "billing_event": "IMPRESSIONS", "optimization_goal": "LINK_CLICKS",
			"bid_strategy": "LOWEST_COST_WITHOUT_CAP", "dsa_beneficiary": "Tea Ltd", "dsa_payor": "Tea Ltd",
			"targeting": object{"geo_locations": object{"countries": []any{"DE", "AT"}}, "targeting_automation": object{"advantage_audience": 0.0}},
		},
		object{"object_story_spec": object{"page_id": "77", "link_data": object{
			"link": "https://shop.example/offer", "name": "Tea & cake", "message": "Fresh.\nGreen.",
		}}},
		object{"adset_id": "101", "creative": object{"creative_id": "102"}, "status": "PAUSED"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// An attempt that was cut off before the ad is gone on with, whatever it was at.
func TestGoesOn(t *testing.T) {
	for _, at := range []string{"campaigns", "adsets", "adcreatives"} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{"POST " + at: {Obey: true, Cut: true}})
		if _, err := s.open(t).Send(t.Context(), advertising()); fateOf(err) != fanfare.FateDeferred {
			t.Errorf("%s: %v", at, err)
		}
		s.Set(nil)
		if _, err := s.open(t).Send(t.Context(), advertising()); err != nil {
			t.Errorf("%s: %v", at, err)
		}
		if s.count("campaigns") != 1 || s.count("adsets") != 1 || s.count("ads") != 1 {
			t.Errorf("%s: %d campaigns, %d ad sets, %d ads", at, s.count("campaigns"), s.count("adsets"), s.count("ads"))
		}
	}
}

// A campaign is validated, and nothing is created.
func TestFits(t *testing.T) {
	s := newServer(t)
	fitter, ok := s.open(t).(fanfare.Fitter)
	if !ok {
		t.Fatal("a launch can't find out what fits")
	}
	if err := fitter.Fits(t.Context(), advertising().Content); err != nil {
		t.Error(err)
	}
	s.Set(map[string]conformance.Act{"POST campaigns check": {Answer: says(400, 100, "Category is missing")}})
	if err := fitter.Fits(t.Context(), advertising().Content); fateOf(err) != fanfare.FateRefused {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"POST campaigns check", "POST campaigns check"}, s.Steps()); diff != "" || len(s.things) != 0 {
		t.Error(diff, s.things)
	}
}

// Only of the last request it may be unknown what became of it.
func TestFate(t *testing.T) {
	empty := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }
	for name, test := range map[string]struct {
		step   string
		answer http.HandlerFunc
		want   fanfare.Fate
	}{
		"campaign, broken there": {"POST campaigns", says(500, 1, "unknown"), fanfare.FateHalted},
		"campaign, without id":   {"POST campaigns", empty, fanfare.FateDeferred},
		"ad, broken there":       {"POST ads", says(500, 2, "unknown"), fanfare.FateUnknown},
		"ad, without id":         {"POST ads", empty, fanfare.FateUnknown},
		"ad, refused":            {"POST ads", says(400, 100, "Invalid"), fanfare.FateRefused},
	} {
		s := newServer(t)
		s.Set(map[string]conformance.Act{test.step: {Answer: test.answer}})
		if _, err := s.open(t).Send(t.Context(), advertising()); fateOf(err) != test.want {
			t.Errorf("%s: %v, want %s", name, err, test.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for _, change := range []string{
		"adAccountId=act_", "adAccountId=act_4/x", "pageId=shop", "finalUrl=shop", "dailyBudget=0", "dailyBudget=12.5",
		"countries=Germany", "countries=de", "specialAdCategories=NONE,HOUSING", "specialAdCategories=no",
	} {
		c := (&server{}).Credentials()
		name, value, _ := strings.Cut(change, "=")
		c[name] = value
		refusal, ok := errors.AsType[*fanfare.Error](New(connector.Outside{}).Check(c))
		if !ok || refusal.Fields[0].Field != "credentials."+name {
			t.Errorf("%s: %v", change, refusal)
		}
	}
}
