package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"fanfare"
)

// routes is every typed route, one line each.
func (s *Server) routes() {
	route(s, spec{"register", POST, "/api/auth/register", "Register", "Auth", public, limitAuth, http.StatusCreated}, s.register,
		refuses(fanfare.CodeUserExists))
	route(s, spec{"login", POST, "/api/auth/login", "Sign in", "Auth", public, limitAuth, http.StatusOK}, s.login,
		refuses(fanfare.CodeUnauthorized), sends("200", "SessionCookie"))
	route(s, spec{"session", GET, "/api/auth/session", "Who is signed in", "Auth", public, limitAPI, http.StatusOK}, s.session)
	route(s, spec{"logout", POST, "/api/auth/logout", "Sign out", "Auth", public, limitAPI, http.StatusNoContent}, s.logout,
		sends("204", "SessionCookie"))

	route(s, spec{"listKeys", GET, "/api/keys", "List API keys", "API keys", users, limitAPI, http.StatusOK}, s.listKeys)
	route(s, spec{"createKey", POST, "/api/keys", "Create an API key", "API keys", users, limitAPI, http.StatusCreated}, s.createKey,
		answers[NewKey]("201", "Created"))
	route(s, spec{"deleteKey", DELETE, "/api/keys/{id}", "Revoke an API key", "API keys", users, limitAPI, http.StatusNoContent}, s.deleteKey)

	route(s, spec{"submitCampaign", POST, "/api/campaign", "Generate a campaign", "Campaigns", users, limitAI, http.StatusAccepted}, s.submitCampaign,
		answers[Submitted]("202", "Accepted: the job is on disk and will be done"),
		answers[Generated]("200", "With Prefer: wait, the result itself"),
		refuses(fanfare.CodeNotFound, fanfare.CodeSuspiciousInput))
	route(s, spec{"listCampaigns", GET, "/api/campaign", "List campaigns", "Campaigns", users, limitAPI, http.StatusOK}, s.listCampaigns)
	route(s, spec{"getCampaign", GET, "/api/campaign/{id}", "Read a campaign", "Campaigns", users, limitAPI, http.StatusOK}, s.getCampaign)
	route(s, spec{"patchCampaign", PATCH, "/api/campaign/{id}", "Edit a campaign", "Campaigns", users, limitAPI, http.StatusOK}, s.patchCampaign,
		patches[campaignEdit]("CampaignPatch"),
		refuses(fanfare.CodeCampaignBusy))
	route(s, spec{"deleteCampaign", DELETE, "/api/campaign/{id}", "Delete a campaign", "Campaigns", users, limitAPI, http.StatusNoContent}, s.deleteCampaign)
	route(s, spec{"putRecipients", PUT, "/api/campaign/{id}/recipients", "Replace a campaign's recipients", "Recipients", users, limitAPI, http.StatusOK}, s.putRecipients,
		rawBody, takesCSV,
		refuses(fanfare.CodeCampaignBusy))
	route(s, spec{"listDeliveries", GET, "/api/campaign/{id}/deliveries", "List a campaign's deliveries", "Campaigns", users, limitAPI, http.StatusOK}, s.listDeliveries)

	route(s, spec{"launchCampaign", POST, "/api/campaign/launch", "Launch a campaign", "Campaigns", users, limitAPI, http.StatusAccepted}, s.launchCampaign,
		answers[LaunchAccepted]("202", "Accepted: the job is on disk and will be done"),
		answers[Launched]("200", "With Prefer: wait, the result itself"),
		refuses(fanfare.CodeNotFound, fanfare.CodeNotReady, fanfare.CodeLaunchInProgress))
	route(s, spec{"testSend", POST, "/api/campaign/{id}/test-send", "Send one message as a test", "Campaigns", users, limitAPI, http.StatusOK}, s.testSend)

	route(s, spec{"putSchedule", PUT, "/api/campaign/{id}/schedule", "Schedule a campaign", "Schedules", users, limitAPI, http.StatusOK}, s.putSchedule)
	route(s, spec{"getSchedule", GET, "/api/campaign/{id}/schedule", "Read a campaign's schedule", "Schedules", users, limitAPI, http.StatusOK}, s.getSchedule)
	route(s, spec{"deleteSchedule", DELETE, "/api/campaign/{id}/schedule", "Delete a campaign's schedule", "Schedules", users, limitAPI, http.StatusNoContent}, s.deleteSchedule)

	route(s, spec{"analyze", POST, "/api/analytics", "Analyze a campaign's metrics", "Analytics", users, limitAI, http.StatusAccepted}, s.submitAnalysis,
		answers[AnalysisAccepted]("202", "Accepted: the job is on disk and will be done"),
		answers[Analysis]("200", "With Prefer: wait, the result itself"),
		refuses(fanfare.CodeNotFound, fanfare.CodeSuspiciousInput))
	route(s, spec{"suggestOptimizations", POST, "/api/analytics/optimizations", "Suggest how a campaign could do better", "Analytics", users, limitAI, http.StatusAccepted}, s.submitOptimizations,
		answers[JobAnswer]("202", "Accepted: the job is on disk and will be done"),
		answers[Optimizations]("200", "With Prefer: wait, the result itself"),
		refuses(fanfare.CodeNotFound, fanfare.CodeSuspiciousInput))

	route(s, spec{"listBrandKits", GET, "/api/brand", "List brand kits", "Brand kits", users, limitAPI, http.StatusOK}, s.listBrandKits,
		sends("200", "Cached"))
	route(s, spec{"createBrandKit", POST, "/api/brand", "Create a brand kit", "Brand kits", users, limitAPI, http.StatusCreated}, s.createBrandKit,
		answers[fanfare.BrandKit]("201", "Created, and the only active one"), refuses(fanfare.CodeSuspiciousInput))
	route(s, spec{"patchBrandKit", PATCH, "/api/brand/{id}", "Edit a brand kit", "Brand kits", users, limitAPI, http.StatusOK}, s.patchBrandKit,
		patches[brandKitEdit]("BrandKitPatch"), refuses(fanfare.CodeSuspiciousInput))
	route(s, spec{"patchBrandKitByQuery", PATCH, "/api/brand", "Edit a brand kit", "Brand kits", users, limitAPI, http.StatusOK}, s.patchBrandKitByQuery,
		patches[brandKitEdit]("BrandKitPatch"), refuses(fanfare.CodeSuspiciousInput))
	route(s, spec{"deleteBrandKit", DELETE, "/api/brand/{id}", "Delete a brand kit", "Brand kits", users, limitAPI, http.StatusNoContent}, s.deleteBrandKit)
	route(s, spec{"deleteBrandKitByQuery", DELETE, "/api/brand", "Delete a brand kit", "Brand kits", users, limitAPI, http.StatusNoContent}, s.deleteBrandKitByQuery)

	route(s, spec{"listIntegrations", GET, "/api/integrations", "List integrations", "Integrations", users, limitAPI, http.StatusOK}, s.listIntegrations)
	route(s, spec{"createIntegration", POST, "/api/integrations", "Connect a provider", "Integrations", users, limitAPI, http.StatusCreated}, s.createIntegration,
		answers[fanfare.Integration]("201", "Created; its credentials have not been tried yet"), refuses(fanfare.CodeIntegrationExists))
	route(s, spec{"deleteIntegration", DELETE, "/api/integrations/{id}", "Delete an integration", "Integrations", users, limitAPI, http.StatusNoContent}, s.deleteIntegration)
	route(s, spec{"deleteIntegrationByQuery", DELETE, "/api/integrations", "Delete an integration", "Integrations", users, limitAPI, http.StatusNoContent}, s.deleteIntegrationByQuery)
	route(s, spec{"testIntegration", POST, connectionTestPath, "Try an integration's credentials at the provider", "Integrations", users, limitAPI, http.StatusOK}, s.testIntegration)
	route(s, spec{"listProviders", GET, "/api/integrations/providers", "What can be connected", "Integrations", users, limitAPI, http.StatusOK}, s.listProviders)

	route(s, spec{"listConversations", GET, "/api/conversations", "List conversations", "Conversations", users, limitAPI, http.StatusOK}, s.listConversations)
	route(s, spec{"getConversation", GET, "/api/conversations/{id}", "Read a conversation", "Conversations", users, limitAPI, http.StatusOK}, s.getConversation)
	route(s, spec{"deleteConversation", DELETE, "/api/conversations/{id}", "Delete a conversation", "Conversations", users, limitAPI, http.StatusNoContent}, s.deleteConversation)

	route(s, spec{"listAudits", GET, "/api/audit", "List audit records", "Audit", users, limitAPI, http.StatusOK}, s.listAudits,
		refuses(fanfare.CodeForbidden))

	route(s, spec{"listJobs", GET, "/api/jobs", "List jobs", "Jobs", users, limitPoll, http.StatusOK}, s.listJobs)
	route(s, spec{"getJob", GET, "/api/jobs/{id}", "Read a job", "Jobs", users, limitPoll, http.StatusOK}, s.getJob,
		answers[struct{}]("304", "It has not changed since If-None-Match"),
		sends("200", "Version", "PollAfter", "Preferred"), sends("304", "Version", "Preferred"))
	route(s, spec{"cancelJob", POST, "/api/jobs/{id}/cancel", "Cancel a job", "Jobs", users, limitAPI, http.StatusOK}, s.cancelJob,
		answers[JobAnswer]("200", "The job as it stands: a running one stops within seconds"))
	route(s, spec{"retryJob", POST, "/api/jobs/{id}/retry", "Try a job again", "Jobs", users, limitAI, http.StatusAccepted}, s.retryJob,
		answers[JobAnswer]("202", "Accepted: a new job with retryOf"),
		refuses(fanfare.CodeNotRetryable, fanfare.CodeLaunchInProgress))

	route(s, spec{"jobEvents", GET, "/api/jobs/{id}/events", "Watch a job", "Streams", users, unlimited, http.StatusOK}, s.jobEvents,
		streams("First a job.snapshot, then every durable event with its sequence as id, and job.delta between them while the model writes. "+
			"The stream closes after the final event. A comment every 15 seconds keeps it open.",
			reflect.TypeFor[StreamedSnapshot](), reflect.TypeFor[StreamedEvent](), reflect.TypeFor[StreamedDelta]()),
		answers[struct{}]("204", "The job is over and nothing is left after Last-Event-ID: an EventSource stops"))
	route(s, spec{"events", GET, "/api/events", "Watch all jobs", "Streams", users, unlimited, http.StatusOK}, s.userEvents,
		streams("First jobs.snapshot with the unfinished jobs, then every durable event of every job. Its ids are opaque; it does not close by itself.",
			reflect.TypeFor[StreamedJobs](), reflect.TypeFor[StreamedEvent]()))

	route(s, spec{"askToUnsubscribe", GET, "/unsubscribe/{token}", "Where a message's unsubscribe link leads", "Recipients", public, unlimited, http.StatusOK}, s.askToUnsubscribe,
		shows("200", "A page that asks; looking at it changes nothing"),
		shows("404", "The link is not whole, or not ours"))
	route(s, spec{"unsubscribe", POST, "/unsubscribe/{token}", "Unsubscribe", "Recipients", public, unlimited, http.StatusOK}, s.unsubscribe,
		shows("200", "Nothing more will be sent. A mail provider's one-click request (RFC 8058) does this, or the page's button"),
		shows("404", "The link is not whole, or not ours"),
		fromAnywhere, rawBody, refuses(fanfare.CodeUnavailable))

	route(s, spec{"health", GET, "/api/health", "How the service is", "Health", probes, unlimited, http.StatusOK}, s.health,
		answers[Health]("503", "The database is down"),
		sends("200", "CacheControl", "ResponseTime"), sends("503", "CacheControl", "ResponseTime"))
	route(s, spec{"ready", GET, "/api/health/ready", "Whether to send requests here", "Health", probes, unlimited, http.StatusOK}, s.ready,
		answers[Readiness]("503", "Not now"), sends("200", "CacheControl"), sends("503", "CacheControl"))
	route(s, spec{"live", GET, "/api/health/live", "Whether the process lives", "Health", probes, unlimited, http.StatusOK}, s.live,
		sends("200", "CacheControl"))
	route(s, spec{"probeReady", GET, "/health/ready", "The same, for probes", "Health", probes, unlimited, http.StatusOK}, s.ready,
		answers[Readiness]("503", "Not now"), sends("200", "CacheControl"), sends("503", "CacheControl"))
	route(s, spec{"probeLive", GET, "/health/live", "The same, for probes", "Health", probes, unlimited, http.StatusOK}, s.live,
		sends("200", "CacheControl"))
	s.docs()
}

// The methods, short enough for a table.
const (
	GET    = http.MethodGet
	POST   = http.MethodPost
	PUT    = http.MethodPut
	PATCH  = http.MethodPatch
	DELETE = http.MethodDelete
)

// spec is a route's line in the table.
type spec struct {
	id           string // of the operation, for generated clients
	method, path string
	summary, tag string
	access       access
	limit        limitClass
	status       int
}

// What an operation's metadata hold.
const (
	specKey         = "spec"
	refusesKey      = "refuses"
	sendsKey        = "sends"
	rawBodyKey      = "rawBody"
	fromAnywhereKey = "fromAnywhere"
)

// specOf is the line of the route that a request has met.
func specOf(ctx huma.Context) spec {
	line, _ := ctx.Operation().Metadata[specKey].(spec)
	return line
}

// route adds a typed route. Its errors get their status and shape here.
func route[I, O any](s *Server, line spec, handler func(context.Context, *I) (*O, error), options ...func(*huma.Operation, huma.Registry)) {
	operation := huma.Operation{
		OperationID: line.id, Method: line.method, Path: line.path,
		Summary: line.summary, Tags: []string{line.tag}, DefaultStatus: line.status,
		Metadata:     map[string]any{specKey: line},
		MaxBodyBytes: -1, // readBody has seen to it
		// Likewise. huma's own deadline would stay, and end the request's context
		// in the middle of a handler that takes longer than it.
		BodyReadTimeout: -1,
		Responses:       map[string]*huma.Response{},
	}
	operation.Security = []map[string][]string{} // nothing is needed
	if line.access == users {
		operation.Security = []map[string][]string{{"apiKey": {}}, {"session": {}}}
	}
	for _, option := range options {
		option(&operation, s.api.OpenAPI().Components.Schemas)
	}
	if operation.Metadata[fromAnywhereKey] != nil {
		s.origins.AddInsecureBypassPattern(line.method + " " + line.path)
	}
	answer := func(ctx context.Context, in *I) (*O, error) {
		out, err := handler(ctx, in)
		if err != nil {
			return nil, s.failure(ctx, err)
		}
		return out, nil
	}
	huma.Register(s.api, operation, answer)
	if isProbe(line.path) { // uptime monitors ask with HEAD; net/http leaves out the body
		operation.Method, operation.Hidden, operation.Responses = http.MethodHead, true, nil
		huma.Register(s.api, operation, answer)
	}
}

// answers documents the body of an answer that a handler gives as any.
func answers[T any](status, description string) func(*huma.Operation, huma.Registry) {
	return func(operation *huma.Operation, registry huma.Registry) {
		operation.Responses[status] = &huma.Response{Description: description}
		if t := reflect.TypeFor[T](); t.NumField() > 0 {
			operation.Responses[status].Content = map[string]*huma.MediaType{
				"application/json": {Schema: registry.Schema(t, true, "")},
			}
		}
	}
}

// streams documents the data of a stream's events: which it is, type says.
func streams(description string, events ...reflect.Type) func(*huma.Operation, huma.Registry) {
	return func(operation *huma.Operation, registry huma.Registry) {
		data := &huma.Schema{
			Description:   "The data of one event",
			Discriminator: &huma.Discriminator{PropertyName: "type", Mapping: map[string]string{}},
		}
		for _, event := range events {
			schema := registry.Schema(event, true, "")
			data.OneOf = append(data.OneOf, schema)
			for _, name := range registry.SchemaFromRef(schema.Ref).Properties["type"].Enum {
				data.Discriminator.Mapping[name.(string)] = schema.Ref
			}
		}
		operation.Responses["200"] = &huma.Response{
			Description: description,
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: data}},
		}
		sends("200", "CacheControl", "Unbuffered")(operation, registry)
	}
}

// refuses documents codes beside those that every route of its sort may refuse
// a request with.
func refuses(codes ...string) func(*huma.Operation, huma.Registry) {
	return func(operation *huma.Operation, _ huma.Registry) { operation.Metadata[refusesKey] = codes }
}

// sends documents headers of answers with a status, by the names of
// answerHeaders, beside those that follow from the route's line.
func sends(status string, names ...string) func(*huma.Operation, huma.Registry) {
	return func(operation *huma.Operation, _ huma.Registry) {
		sent, _ := operation.Metadata[sendsKey].(map[string][]string)
		if sent == nil {
			sent = map[string][]string{}
		}
		sent[status] = append(sent[status], names...)
		operation.Metadata[sendsKey] = sent
	}
}

// patches documents a JSON Merge Patch (RFC 7396) of what may be edited of
// something, which a handler reads raw and checks itself.
func patches[T any](name string) func(*huma.Operation, huma.Registry) {
	return func(operation *huma.Operation, registry huma.Registry) {
		registry.Map()[name] = patchOf(registry, huma.SchemaFromType(registry, reflect.TypeFor[T]()))
		body := &huma.MediaType{Schema: &huma.Schema{Ref: "#/components/schemas/" + name}}
		operation.SkipValidateBody = true
		operation.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/merge-patch+json": body, jsonType: body,
		}}
	}
}

// shows documents an answer that is a page for people.
func shows(status, description string) func(*huma.Operation, huma.Registry) {
	return func(operation *huma.Operation, registry huma.Registry) {
		operation.Responses[status] = &huma.Response{
			Description: description,
			Content:     map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}
		sends(status, "PagePolicy", "CacheControl")(operation, registry)
	}
}

// rawBody leaves the body to the handler, unread: it is no JSON.
func rawBody(operation *huma.Operation, _ huma.Registry) { operation.Metadata[rawBodyKey] = true }

// fromAnywhere lets pages of all origins make the request. It is for what
// needs no credentials, since browsers would send them along.
func fromAnywhere(operation *huma.Operation, _ huma.Registry) {
	operation.Metadata[fromAnywhereKey] = true
}

// takesCSV documents a file of recipients.
func takesCSV(operation *huma.Operation, _ huma.Registry) {
	operation.RequestBody = &huma.RequestBody{
		Required: true,
		Description: "Two columns, channel (email or sms) and address, in UTF-8, with or without a header. Up to 50 MiB. " +
			"Lines that are not valid are left out and listed in the answer.",
		Content: map[string]*huma.MediaType{"text/csv": {
			Schema: &huma.Schema{Type: huma.TypeString}, Example: "channel,address\nemail,ada@example.com\nsms,+4915123456789\n",
		}},
	}
}
