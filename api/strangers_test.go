package api_test

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"fanfare"
	"fanfare/internal/apitest"
)

// publicRoutes are those that nobody has to sign in for.
var publicRoutes = []string{
	"POST /api/auth/register", "POST /api/auth/login", "GET /api/auth/session", "POST /api/auth/logout",
	"GET /unsubscribe/{token}", "POST /unsubscribe/{token}",
	"GET /api/health", "GET /api/health/ready", "GET /api/health/live", "GET /health/ready", "GET /health/live",
}

// visit is a request, and what becomes of it. In its texts {key} is the owner's
// key, and {my key} that of whoever asks. An outcome is a status and the code
// of an error, or a part of the body.
type visit struct {
	id       string // the parameter or property that names a thing, "" for none
	line     string
	body     string
	stranger string
	owner    string
}

// visits are at least one for each route that asks who it is, and one for each
// id that it takes.
var visits = []visit{
	{"", "GET /api/keys", "", "200", "200 {key}"},
	{"", "POST /api/keys", `{"name": "k"}`, "201", "201"},
	{"id", "DELETE /api/keys/{key}", "", "404 not_found", "204"},

	{"", "POST /api/campaign", `{"prompt": "Sell tea"}`, "202", "202"},
	{"conversationId", "POST /api/campaign", `{"prompt": "Sell tea", "conversationId": "{conversation}"}`, "404 not_found", "202 {conversation}"},
	{"brandKitId", "POST /api/campaign", `{"prompt": "Sell tea", "brandKitId": "{kit}"}`, "404 not_found", "202"},
	{"", "GET /api/campaign", "", "200 []", "200 {campaign}"},
	{"id", "GET /api/campaign/{campaign}", "", "404 not_found", "200 {campaign}"},
	{"id", "PATCH /api/campaign/{campaign}", `{"goal": "Sell coffee"}`, "404 not_found", "200 Sell coffee"},
	{"id", "PATCH /api/campaign/{unwritten}", `{"goal": "Sell coffee"}`, "404 not_found", "409 campaign_busy"},
	{"id", "DELETE /api/campaign/{campaign}", "", "404 not_found", "204"},
	{"id", "PUT /api/campaign/{campaign}/recipients", "email,ada@example.org\n", "404 not_found", "200"},
	{"id", "POST /api/campaign/{campaign}/test-send", `{"channel": "email", "to": "me@example.org"}`, "404 not_found", `200 "success":true`},
	{"id", "PUT /api/campaign/{campaign}/schedule", `{"cron": "0 9 * * *"}`, "404 not_found", "200 {campaign}"},
	{"id", "GET /api/campaign/{scheduled}/schedule", "", "404 not_found", "200 {scheduled}"},
	{"id", "DELETE /api/campaign/{scheduled}/schedule", "", "404 not_found", "204"},
	{"id", "GET /api/campaign/{launched}/deliveries?launchId={launch}", "", "404 not_found", "200 ada@example.org"},
	{"launchId", "GET /api/campaign/{my launched}/deliveries?launchId={launch}", "", "200 []", "200 ada@example.org"},
	{"campaignId", "POST /api/campaign/launch", `{"campaignId": "{campaign}"}`, "404 not_found", "202 {campaign}"},
	{"campaignId", "POST /api/campaign/launch", `{"campaignId": "{launched}"}`, "404 not_found", "409 launch_in_progress"},
	{"integrations", "POST /api/campaign/launch", `{"campaignId": "{my campaign}", "integrations": {"email": "{integration}"}}`, "400 invalid_request", "202"},

	{"campaignId", "POST /api/analytics", `{"campaignId": "{campaign}", "goal": "Sell tea", "channels": ["email"], "metrics": {"opens": 1}}`, "404 not_found", "202 {campaign}"},
	{"campaignId", "POST /api/analytics/optimizations", `{"campaignId": "{campaign}", "goal": "Sell tea", "channels": ["email"], "currentPerformance": {"opens": 1}}`, "404 not_found", "202 {campaign}"},

	{"", "GET /api/brand", "", "200 []", "200 {kit}"},
	{"", "POST /api/brand", kit, "201", "201"},
	{"id", "PATCH /api/brand/{kit}", `{"tone": "Dry"}`, "404 not_found", "200 Dry"},
	{"id", "PATCH /api/brand?id={kit}", `{"tone": "Dry"}`, "404 not_found", "200 Dry"},
	{"id", "DELETE /api/brand/{kit}", "", "404 not_found", "204"},
	{"id", "DELETE /api/brand?id={kit}", "", "404 not_found", "204"},

	{"", "GET /api/integrations", "", "200 []", "200 {integration}"},
	{"", "POST /api/integrations", `{"name": "SMTP", "type": "email", "credentials": {"host": "mail.example"}}`, "201", "201"},
	{"id", "DELETE /api/integrations/{integration}", "", "404 not_found", "204"},
	{"id", "DELETE /api/integrations?id={integration}", "", "404 not_found", "204"},
	{"id", "POST /api/integrations/test", `{"id": "{integration}"}`, `200 "success":false`, `200 "success":true`},
	{"", "GET /api/integrations/providers", "", "200 SMTP", "200 SMTP"},

	{"", "GET /api/conversations", "", "200 []", "200 {conversation}"},
	{"id", "GET /api/conversations/{conversation}", "", "404 not_found", "200 {conversation}"},
	{"id", "DELETE /api/conversations/{conversation}", "", "404 not_found", "204"},

	{"", "GET /api/audit", "", "200", "200 {key}"},
	{"userId", "GET /api/audit?userId={user}", "", "403 forbidden", "200 ["},
	{"resource", "GET /api/audit?resource={key}", "", "200 []", "200 {key}"},

	{"", "GET /api/jobs", "", "200 []", "200 {job}"},
	{"campaignId", "GET /api/jobs?campaignId={campaign}", "", "200 []", "200 {campaign}"},
	{"id", "GET /api/jobs/{job}", "", "404 not_found", "200 {job}"},
	{"id", "POST /api/jobs/{job}/cancel", "", "404 not_found", "200 {job}"},
	{"id", "POST /api/jobs/{failed}/retry", "", "404 not_found", "202 {failed}"},
	{"id", "POST /api/jobs/{job}/retry", "", "404 not_found", "409 not_retryable"},
	{"id", "GET /api/jobs/{job}/events", "", "404 not_found", "200 {job}"},
	{"", "GET /api/events", "", `200 "jobs":[]`, "200 {job}"},
}

const (
	kit = `{"name": "Leaf", "primaryColor": "#1a2b3c", "secondaryColor": "#ffffff", "fontFamily": "Inter", "tone": "Warm", "values": "Care"}`
	// noID names nothing.
	noID = "01a204f5-ed6d-77fe-bfbc-ed33a961c0ee"
)

// Nobody can do anything with somebody else's things, or tell that they exist,
// whether they come with a key or with a cookie. Their owner can.
func TestWhatBelongsToOthers(t *testing.T) {
	a := apitest.New(t)
	refused := nobodies(t, a)
	for i, v := range visits {
		for _, way := range []string{"key", "cookie"} {
			t.Run(fmt.Sprintf("%s %s by %s", v.line, v.id, way), func(t *testing.T) {
				owner, stranger := meet(t, a, fmt.Sprint("ada", i), way), meet(t, a, fmt.Sprint("bob", i), way)
				want := owner.fill(t, v.owner, owner) // made at once, so that lists could show it
				line, body := owner.fill(t, v.line, stranger), owner.fill(t, v.body, stranger)
				for who, client := range refused {
					wantOutcome(t, who, ask(t, a, client, line, body), "401 unauthorized")
				}
				answer := ask(t, a, stranger.Client, line, body)
				wantOutcome(t, "a stranger", answer, v.stranger)
				for what, id := range owner.things {
					if strings.Contains(answer.Body, id) {
						t.Errorf("a stranger sees the owner's %s: %s", what, answer.Body)
					}
				}
				none := &somebody{things: map[string]string{"": noID}}
				nothing := ask(t, a, stranger.Client, none.fill(t, v.line, stranger), none.fill(t, v.body, stranger))
				if v.id != "" && heard(answer) != heard(nothing) {
					t.Errorf("a stranger is told %s of what exists, and %s of nothing", heard(answer), heard(nothing))
				}
				answer = ask(t, a, owner.Client, owner.fill(t, v.line, owner), owner.fill(t, v.body, owner))
				wantOutcome(t, "the owner", answer, want)
			})
		}
	}
}

// Each route of the document is public or visited, and so is each id that it
// takes: in its path, its query or its body.
func TestEveryRouteIsVisited(t *testing.T) {
	visited, public := map[string]bool{}, []string{}
	for _, v := range visits {
		path, _, _ := strings.Cut(v.line, "?")
		route := regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(path, "{id}")
		visited[route], visited[route+" "+v.id] = true, true
	}
	doc := openAPI(t, apitest.New(t))
	for path, methods := range doc.Paths {
		for method, operation := range methods {
			route := strings.ToUpper(method) + " " + path
			if len(operation.Security) == 0 {
				public = append(public, route)
				continue
			}
			if !visited[route] {
				t.Errorf("%s: nobody tries it as a stranger", route)
			}
			ids := map[string]bool{}
			for _, p := range operation.Parameters {
				ids[p.Name] = p.In != "header" && isID(p.Name, p.Description)
			}
			for _, content := range operation.RequestBody.Content {
				doc.idsOf(content.Schema, ids, 0)
			}
			for name, is := range ids {
				if is && !visited[route+" "+name] {
					t.Errorf("%s: nobody tries it with somebody else's %s", route, name)
				}
			}
		}
	}
	same(t, "routes that anybody may use", public, publicRoutes)
}

// isID tells what holds ids by its name, or by what the document says of it.
func isID(name, description string) bool {
	return regexp.MustCompile(`^id$|Ids?$`).MatchString(name) || regexp.MustCompile(`\bids?\b`).MatchString(description)
}

// idsOf adds the properties of a schema that hold ids, at any depth.
func (doc document) idsOf(s schema, ids map[string]bool, depth int) {
	if name, isRef := strings.CutPrefix(s.Ref, "#/components/schemas/"); isRef {
		s = doc.Components.Schemas[name]
	}
	if s.Items != nil && depth < 10 {
		doc.idsOf(*s.Items, ids, depth+1)
	}
	for name, property := range s.Properties {
		ids[name] = ids[name] || isID(name, property.Description)
		if depth < 10 {
			doc.idsOf(property, ids, depth+1)
		}
	}
}

// nobodies are those who are not, or not any more, let in.
func nobodies(t *testing.T, a *apitest.App) map[string]*apitest.Client {
	t.Helper()
	revoked := a.User(t, "eve@example.com")
	signedOut := a.SignedIn(t, revoked)
	own := revoked.Do(t, "GET /api/keys", nil).Want(t, http.StatusOK).Text("0.id")
	signedOut.Do(t, "GET /api/keys", nil).Want(t, http.StatusOK)
	revoked.Do(t, "DELETE /api/keys/"+own, nil).Want(t, http.StatusNoContent)
	signedOut.Do(t, "POST /api/auth/logout", nil).Want(t, http.StatusNoContent)
	return map[string]*apitest.Client{"nobody": a.Anonymous(), "a revoked key": revoked, "a signed-out cookie": signedOut}
}

// ask makes a request. Of a stream it reads the first event.
func ask(t *testing.T, a *apitest.App, client *apitest.Client, line, body string) *apitest.Answer {
	t.Helper()
	path, isStream := strings.CutPrefix(line, "GET ")
	switch {
	case isStream && strings.HasSuffix(path, "/events"):
		status, header, lines := stream(t, a, client, path, "")
		answer := &apitest.Answer{Status: status, Header: header}
		for text := range lines {
			if answer.Body += text + "\n"; strings.HasPrefix(text, "data:") {
				break
			}
		}
		return answer
	case body == "":
		return client.Do(t, line, nil)
	case strings.HasPrefix(body, "{"):
		return client.Do(t, line, body)
	default:
		return client.With(asCSV).Do(t, line, body)
	}
}

// wantOutcome holds an answer to an outcome as visits write it.
func wantOutcome(t *testing.T, who string, answer *apitest.Answer, outcome string) {
	t.Helper()
	status, text, _ := strings.Cut(outcome, " ")
	if strconv.Itoa(answer.Status) != status || !strings.Contains(answer.Body, text) {
		t.Fatalf("%s: %d %s, want %s", who, answer.Status, answer.Body, outcome)
	}
	if answer.Status >= http.StatusBadRequest {
		answer.WantError(t, answer.Status, text)
	}
}

// heard is what an answer says of a thing.
func heard(answer *apitest.Answer) string {
	return fmt.Sprint(answer.Status, answer.Text("code"), answer.Text("error"), answer.Text("reason"))
}

// somebody has a thing of each sort that they are asked for.
type somebody struct {
	*apitest.Client
	app    *apitest.App
	things map[string]string // ids, by sort; "" is that of all others
}

func meet(t *testing.T, a *apitest.App, name, way string) *somebody {
	t.Helper()
	client := a.User(t, name+"-"+way+"@example.com")
	if way == "cookie" {
		client = a.SignedIn(t, client)
	}
	return &somebody{Client: client, app: a, things: map[string]string{}}
}

var placeholder = regexp.MustCompile(`\{(my )?([a-z]+)\}`)

// fill puts the ids of s into a text of a visit, and those of whoever asks.
func (s *somebody) fill(t *testing.T, text string, asks *somebody) string {
	t.Helper()
	return placeholder.ReplaceAllStringFunc(text, func(match string) string {
		name, my := strings.CutPrefix(strings.Trim(match, "{}"), "my ")
		if my {
			return asks.its(t, name)
		}
		return s.its(t, name)
	})
}

func (s *somebody) its(t *testing.T, name string) string {
	t.Helper()
	if others := s.things[""]; others != "" {
		return others
	}
	if s.things[name] == "" {
		s.things[name] = s.makes(t, name)
	}
	return s.things[name]
}

func (s *somebody) makes(t *testing.T, name string) (id string) {
	t.Helper()
	create := func(line, body, at string) string {
		return s.Do(t, line, body).Text(at)
	}
	switch name {
	case "user":
		return s.UserID
	case "key":
		return create("POST /api/keys", `{"name": "k"}`, "id")
	case "kit":
		return create("POST /api/brand", kit, "id")
	case "integration":
		return connectSMTP(t, s.Client)
	case "conversation":
		return create("POST /api/campaign", `{"prompt": "Sell tea"}`, "conversationId")
	case "job":
		return create("POST /api/campaign", `{"prompt": "Sell tea"}`, "job.id")
	case "unwritten":
		return create("POST /api/campaign", `{"prompt": "Sell tea"}`, "campaign.id")
	case "failed":
		id, _ = submit(t, s.Client)
		s.app.End(t, id, fanfare.JobFailed)
		return id
	case "campaign": // with all that a launch needs
		s.its(t, "integration")
		return launchable(t, s.app, s.Client)
	case "scheduled":
		id = s.its(t, "campaign")
		s.Do(t, "PUT /api/campaign/"+id+"/schedule", `{"cron": "0 9 * * *"}`).Want(t, http.StatusOK)
		return id
	case "launched":
		id = s.its(t, "campaign")
		s.Do(t, "POST /api/campaign/launch", object{"campaignId": id}).Want(t, http.StatusAccepted)
		return id
	case "launch":
		id = s.app.Text(t, `SELECT id FROM launches WHERE campaign_id = $1`, s.its(t, "launched"))
		s.app.Exec(t, `INSERT INTO deliveries (launch_id, campaign_id, user_id, channel, recipient, status)
			SELECT id, campaign_id, user_id, 'email', 'ada@example.org', 'sent' FROM launches WHERE id = $1`, id)
		return id
	default:
		t.Fatalf("nobody has a %s", name)
		return ""
	}
}

// What becomes of somebody's jobs goes into no stream but theirs.
func TestAStreamIsOneUsers(t *testing.T) {
	a := apitest.New(t)
	owner, stranger := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	_, _, lines := stream(t, a, stranger, "/api/events", "")
	readUntil(t, lines, "jobs.snapshot")
	others, _ := submit(t, owner)
	own, _ := submit(t, stranger)
	if read := strings.Join(readUntil(t, lines, own), "\n"); strings.Contains(read, others) {
		t.Errorf("a stranger sees %s", read)
	}
}
