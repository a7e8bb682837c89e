package api_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"fanfare/internal/apitest"
)

type document struct {
	OpenAPI string
	Paths   map[string]map[string]struct {
		OperationID string
		Security    []map[string][]string
		Parameters  []struct{ Name, In, Description string }
		RequestBody struct {
			Content map[string]struct{ Schema schema }
		}
		Responses map[string]struct {
			Headers map[string]any
			Content map[string]struct {
				Schema schema
			}
		}
	}
	Components struct {
		Schemas map[string]schema
	}
}

type schema struct {
	Ref         string `json:"$ref"`
	Description string
	Type        any
	Enum        []string
	Items       *schema
	Properties  map[string]schema
	Required    []string
}

func openAPI(t *testing.T, a *apitest.App) (doc document) {
	t.Helper()
	answer := a.Anonymous().Do(t, "GET /api/openapi.json", nil).Want(t, http.StatusOK)
	if err := json.Unmarshal([]byte(answer.Body), &doc); err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestOpenAPI(t *testing.T) {
	doc := openAPI(t, apitest.New(t))
	if !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Errorf("OpenAPI %s", doc.OpenAPI)
	}
	routes := map[string]string{ // with the statuses that it may answer with
		"post /api/auth/register":           "201 400 403 413 415 429 500 503",
		"post /api/auth/login":              "200 400 401 403 413 415 429 500 503",
		"get /api/auth/session":             "200 400 429 500 503",
		"post /api/auth/logout":             "204 400 403 429 500 503",
		"get /api/keys":                     "200 400 401 429 500 503",
		"post /api/keys":                    "201 400 401 403 409 413 415 422 429 500 503",
		"delete /api/keys/{id}":             "204 400 401 403 404 429 500 503",
		"post /api/campaign":                "200 202 400 401 403 404 409 413 415 422 429 500 503",
		"get /api/campaign":                 "200 400 401 429 500 503",
		"get /api/campaign/{id}":            "200 400 401 404 429 500 503",
		"patch /api/campaign/{id}":          "200 400 401 403 404 409 413 415 429 500 503",
		"delete /api/campaign/{id}":         "204 400 401 403 404 429 500 503",
		"post /api/campaign/launch":         "200 202 400 401 403 404 409 413 415 422 429 500 503",
		"get /api/campaign/{id}/deliveries": "200 400 401 404 429 500 503",
		"put /api/campaign/{id}/recipients": "200 400 401 403 404 409 413 415 429 500 503",
		"post /api/campaign/{id}/test-send": "200 400 401 403 404 413 415 429 500 503",
		"post /api/analytics":               "200 202 400 401 403 404 409 413 415 422 429 500 503",
		"post /api/analytics/optimizations": "200 202 400 401 403 404 409 413 415 422 429 500 503",
		"get /api/brand":                    "200 400 401 429 500 503",
		"post /api/brand":                   "201 400 401 403 409 413 415 422 429 500 503",
		"patch /api/brand":                  "200 400 401 403 404 413 415 429 500 503",
		"patch /api/brand/{id}":             "200 400 401 403 404 413 415 429 500 503",
		"delete /api/brand":                 "204 400 401 403 404 429 500 503",
		"delete /api/brand/{id}":            "204 400 401 403 404 429 500 503",
		"get /api/integrations":             "200 400 401 429 500 503",
		"post /api/integrations":            "201 400 401 403 409 413 415 422 429 500 503",
		"delete /api/integrations":          "204 400 401 403 404 429 500 503",
		"delete /api/integrations/{id}":     "204 400 401 403 404 429 500 503",
		"post /api/integrations/test":       "200 400 401 403 413 415 429 500 503",
		"get /api/integrations/providers":   "200 400 401 429 500 503",
		"get /api/conversations":            "200 400 401 429 500 503",
		"get /api/conversations/{id}":       "200 400 401 404 429 500 503",
		"delete /api/conversations/{id}":    "204 400 401 403 404 429 500 503",
		"get /api/audit":                    "200 400 401 403 429 500 503",
		"get /api/jobs":                     "200 400 401 429 500 503",
		"get /api/jobs/{id}":                "200 304 400 401 404 429 500 503",
		"post /api/jobs/{id}/cancel":        "200 400 401 403 404 429 500 503",
		"post /api/jobs/{id}/retry":         "202 400 401 403 404 409 413 415 422 429 500 503",
		"get /api/jobs/{id}/events":         "200 204 400 401 404 500 503",
		"get /api/events":                   "200 400 401 500 503",
		"get /unsubscribe/{token}":          "200 400 404 500",
		"post /unsubscribe/{token}":         "200 400 404 500 503",
		"get /api/health":                   "200 400 500 503",
		"get /api/health/ready":             "200 400 500 503",
		"get /api/health/live":              "200 400 500",
		"get /health/ready":                 "200 400 500 503",
		"get /health/live":                  "200 400 500",

		"put /api/campaign/{id}/schedule":    "200 400 401 403 404 413 415 429 500 503",
		"get /api/campaign/{id}/schedule":    "200 400 401 404 429 500 503",
		"delete /api/campaign/{id}/schedule": "204 400 401 403 404 429 500 503",
	}
	for path, methods := range doc.Paths {
		for method, operation := range methods {
			line := method + " " + path
			statuses := strings.Join(slices.Sorted(maps.Keys(operation.Responses)), " ")
			if want := routes[line]; statuses != want {
				t.Errorf("%s: answers %s, want %s", line, statuses, want)
			}
			delete(routes, line)
			for status, response := range operation.Responses {
				counts := operation.Responses["429"].Content != nil
				if (response.Headers["RateLimit"] != nil) != counts || (response.Headers["RateLimit-Policy"] != nil) != counts {
					t.Errorf("%s: %s tells of rate limits: %v", line, status, response.Headers)
				}
				if status < "400" || strings.Contains(path, "/health") && status == "503" { // which tells how it is
					continue
				}
				if strings.HasPrefix(path, "/unsubscribe/") && status == "404" { // which a person sees
					same(t, line, slices.Collect(maps.Keys(response.Content)), []string{"text/html"})
					continue
				}
				if got := response.Content["application/json"].Schema.Ref; got != "#/components/schemas/ErrorBody" || len(response.Content) != 1 {
					t.Errorf("%s: error %s is a %q", line, status, got)
				}
				if response.Headers["X-Request-Id"] == nil || status == "429" && response.Headers["Retry-After"] == nil {
					t.Errorf("%s: headers of error %s: %v", line, status, response.Headers)
				}
			}
		}
	}
	if len(routes) > 0 {
		t.Errorf("not in the document: %v", routes)
	}
	for _, event := range []string{"StreamedSnapshot", "StreamedEvent", "StreamedDelta", "StreamedJobs"} {
		if len(doc.Components.Schemas[event].Properties) == 0 {
			t.Errorf("the document lacks the stream's %s", event)
		}
	}
	property := func(schema, name string) any { return doc.Components.Schemas[schema].Properties[name].Type }
	if got := property("Campaign", "budget"); !slices.Equal(got.([]any), []any{"number", "null"}) {
		t.Errorf("a budget is a %v", got)
	}
	if got := doc.Components.Schemas["Job"].Properties["status"].Enum; len(got) != 8 {
		t.Errorf("statuses of a job: %v", got)
	}
	if got := doc.Components.Schemas["Campaign"].Properties["status"].Enum; len(got) != 7 {
		t.Errorf("statuses of a campaign: %v", got)
	}
	same(t, "required of an error", doc.Components.Schemas["ErrorBody"].Required, []string{"error", "code", "requestId"})
	submit := doc.Paths["/api/campaign"]["post"]
	for _, name := range []string{"Location", "Retry-After", "Preference-Applied", "X-RateLimit-Remaining"} {
		if submit.Responses["202"].Headers[name] == nil {
			t.Errorf("the 202 does not tell of %s", name)
		}
	}
	same(t, "bodies of a PATCH", slices.Collect(maps.Keys(doc.Paths["/api/campaign/{id}"]["patch"].RequestBody.Content)),
		[]string{"application/json", "application/merge-patch+json"})
	if len(submit.Security) != 2 || len(doc.Paths["/api/health"]["get"].Security) != 0 {
		t.Error("the document does not say where somebody must be signed in")
	}
}

func TestDocsNeedNoNetwork(t *testing.T) {
	a := apitest.New(t)
	nobody := a.Anonymous()
	header(t, nobody.Do(t, "GET /", nil).Want(t, http.StatusFound), "Location", "/api/docs")
	page := nobody.Do(t, "GET /api/docs", nil).Want(t, http.StatusOK)
	policy := page.Header.Get("Content-Security-Policy")
	if !strings.HasPrefix(policy, "default-src 'self'") || strings.Contains(policy, "http") || strings.Contains(policy, "*") {
		t.Errorf("the page may load from elsewhere: %s", policy)
	}
	if !strings.Contains(page.Body, "/api/openapi.json") {
		t.Error("the page does not show our document")
	}
	links := regexp.MustCompile(`(?:src|href)="([^"]*)"`).FindAllStringSubmatch(page.Body, -1)
	if len(links) < 5 {
		t.Errorf("the page loads %v", links)
	}
	for _, link := range links {
		answer := nobody.Do(t, "GET "+link[1], nil).Want(t, http.StatusOK)
		if !strings.HasPrefix(link[1], "/") || strings.HasPrefix(link[1], "//") || answer.Body == "" {
			t.Errorf("the page loads %s", link[1])
		}
	}
}
