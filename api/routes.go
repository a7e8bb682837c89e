package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"fanfare"
)

const apiDescription = `Fanfare turns a marketing brief into content for each channel.

A POST that starts work answers 202 with a job at once. Poll the job at its Retry-After, or send ` + "`Prefer: wait=25`" + ` to
hear as soon as it is done. What was accepted is never lost; when the model fails, the job fails and says why.

Send ` + "`Idempotency-Key`" + ` with each POST that creates something: a repeat within 24 hours gets the first answer again.`

// routes is every typed route, one line each.
func (s *Server) routes() {
	route(s, spec{"register", POST, "/api/auth/register", "Register", "Auth", public, limitAuth, http.StatusCreated}, s.register)
	route(s, spec{"login", POST, "/api/auth/login", "Sign in", "Auth", public, limitAuth, http.StatusOK}, s.login,
		mayFail(http.StatusUnauthorized))
	route(s, spec{"session", GET, "/api/auth/session", "Who is signed in", "Auth", public, limitAPI, http.StatusOK}, s.session)
	route(s, spec{"logout", POST, "/api/auth/logout", "Sign out", "Auth", public, limitAPI, http.StatusNoContent}, s.logout)

	route(s, spec{"listKeys", GET, "/api/keys", "List API keys", "API keys", users, limitAPI, http.StatusOK}, s.listKeys)
	route(s, spec{"createKey", POST, "/api/keys", "Create an API key", "API keys", users, limitAPI, http.StatusCreated}, s.createKey,
		answers[NewKey]("201", "Created"))
	route(s, spec{"deleteKey", DELETE, "/api/keys/{id}", "Revoke an API key", "API keys", users, limitAPI, http.StatusNoContent}, s.deleteKey)

	route(s, spec{"submitCampaign", POST, "/api/campaign", "Generate a campaign", "Campaigns", users, limitAI, http.StatusAccepted}, s.submitCampaign,
		answers[Submitted]("202", "Accepted: the job is on disk and will be done"),
		answers[Generated]("200", "With Prefer: wait, the result itself"),
		mayFail(http.StatusNotFound))
	route(s, spec{"listCampaigns", GET, "/api/campaign", "List campaigns", "Campaigns", users, limitAPI, http.StatusOK}, s.listCampaigns)
	route(s, spec{"getCampaign", GET, "/api/campaign/{id}", "Read a campaign", "Campaigns", users, limitAPI, http.StatusOK}, s.getCampaign)
	route(s, spec{"patchCampaign", PATCH, "/api/campaign/{id}", "Edit a campaign", "Campaigns", users, limitAPI, http.StatusOK}, s.patchCampaign,
		takes[campaignEdit]("application/merge-patch+json", "application/json"),
		mayFail(http.StatusConflict))
	route(s, spec{"deleteCampaign", DELETE, "/api/campaign/{id}", "Delete a campaign", "Campaigns", users, limitAPI, http.StatusNoContent}, s.deleteCampaign)
	route(s, spec{"putRecipients", PUT, "/api/campaign/{id}/recipients", "Replace a campaign's recipients", "Recipients", users, limitAPI, http.StatusOK}, s.putRecipients,
		rawBody, takesCSV,
		mayFail(http.StatusConflict))
	route(s, spec{"listDeliveries", GET, "/api/campaign/{id}/deliveries", "List a campaign's deliveries", "Campaigns", users, limitAPI, http.StatusOK}, s.listDeliveries)

	route(s, spec{"launchCampaign", POST, "/api/campaign/launch", "Launch a campaign", "Campaigns", users, limitAPI, http.StatusAccepted}, s.launchCampaign,
		answers[LaunchAccepted]("202", "Accepted: the job is on disk and will be done"),
		answers[Launched]("200", "With Prefer: wait, the result itself"),
		mayFail(http.StatusNotFound, http.StatusConflict))
	route(s, spec{"testSend", POST, "/api/campaign/{id}/test-send", "Send one message as a test", "Campaigns", users, limitAPI, http.StatusOK}, s.testSend)

	route(s, spec{"putSchedule", PUT, "/api/campaign/{id}/schedule", "Schedule a campaign", "Schedules", users, limitAPI, http.StatusOK}, s.putSchedule)
	route(s, spec{"getSchedule", GET, "/api/campaign/{id}/schedule", "Read a campaign's schedule", "Schedules", users, limitAPI, http.StatusOK}, s.getSchedule)
	route(s, spec{"deleteSchedule", DELETE, "/api/campaign/{id}/schedule", "Delete a campaign's schedule", "Schedules", users, limitAPI, http.StatusNoContent}, s.deleteSchedule)

	route(s, spec{"analyze", POST, "/api/analytics", "Analyze a campaign's metrics", "Analytics", users, limitAI, http.StatusAccepted}, s.submitAnalysis,
		answers[AnalysisAccepted]("202", "Accepted: the job is on disk and will be done"),
		answers[Analysis]("200", "With Prefer: wait, the result itself"),
		mayFail(http.StatusNotFound))
	route(s, spec{"suggestOptimizations", POST, "/api/analytics/optimizations", "Suggest how a campaign could do better", "Analytics", users, limitAI, http.StatusAccepted}, s.submitOptimizations,
		answers[JobAnswer]("202", "Accepted: the job is on disk and will be done"),
		answers[Optimizations]("200", "With Prefer: wait, the result itself"),
		mayFail(http.StatusNotFound))

	route(s, spec{"listBrandKits", GET, "/api/brand", "List brand kits", "Brand kits", users, limitAPI, http.StatusOK}, s.listBrandKits)
	route(s, spec{"createBrandKit", POST, "/api/brand", "Create a brand kit", "Brand kits", users, limitAPI, http.StatusCreated}, s.createBrandKit,
		answers[fanfare.BrandKit]("201", "Created, and the only active one"))
	route(s, spec{"patchBrandKit", PATCH, "/api/brand/{id}", "Edit a brand kit", "Brand kits", users, limitAPI, http.StatusOK}, s.patchBrandKit,
		takes[brandKitEdit]("application/merge-patch+json", "application/json"))
	route(s, spec{"patchBrandKitByQuery", PATCH, "/api/brand", "Edit a brand kit", "Brand kits", users, limitAPI, http.StatusOK}, s.patchBrandKitByQuery,
		takes[brandKitEdit]("application/merge-patch+json", "application/json"))
	route(s, spec{"deleteBrandKit", DELETE, "/api/brand/{id}", "Delete a brand kit", "Brand kits", users, limitAPI, http.StatusNoContent}, s.deleteBrandKit)
	route(s, spec{"deleteBrandKitByQuery", DELETE, "/api/brand", "Delete a brand kit", "Brand kits", users, limitAPI, http.StatusNoContent}, s.deleteBrandKitByQuery)

	route(s, spec{"listIntegrations", GET, "/api/integrations", "List integrations", "Integrations", users, limitAPI, http.StatusOK}, s.listIntegrations)
	route(s, spec{"createIntegration", POST, "/api/integrations", "Connect a provider", "Integrations", users, limitAPI, http.StatusCreated}, s.createIntegration,
		answers[fanfare.Integration]("201", "Created; its credentials have not been tried yet"))
	route(s, spec{"deleteIntegration", DELETE, "/api/integrations/{id}", "Delete an integration", "Integrations", users, limitAPI, http.StatusNoContent}, s.deleteIntegration)
	route(s, spec{"deleteIntegrationByQuery", DELETE, "/api/integrations", "Delete an integration", "Integrations", users, limitAPI, http.StatusNoContent}, s.deleteIntegrationByQuery)
	route(s, spec{"testIntegration", POST, connectionTestPath, "Try an integration's credentials at the provider", "Integrations", users, limitAPI, http.StatusOK}, s.testIntegration)
	route(s, spec{"listProviders", GET, "/api/integrations/providers", "What can be connected", "Integrations", users, limitAPI, http.StatusOK}, s.listProviders)

	route(s, spec{"listConversations", GET, "/api/conversations", "List conversations", "Conversations", users, limitAPI, http.StatusOK}, s.listConversations)
	route(s, spec{"getConversation", GET, "/api/conversations/{id}", "Read a conversation", "Conversations", users, limitAPI, http.StatusOK}, s.getConversation)
	route(s, spec{"deleteConversation", DELETE, "/api/conversations/{id}", "Delete a conversation", "Conversations", users, limitAPI, http.StatusNoContent}, s.deleteConversation)

	route(s, spec{"listAudits", GET, "/api/audit", "List audit records", "Audit", users, limitAPI, http.StatusOK}, s.listAudits,
		mayFail(http.StatusForbidden))

	route(s, spec{"listJobs", GET, "/api/jobs", "List jobs", "Jobs", users, limitPoll, http.StatusOK}, s.listJobs)
	route(s, spec{"getJob", GET, "/api/jobs/{id}", "Read a job", "Jobs", users, limitPoll, http.StatusOK}, s.getJob,
		answers[struct{}]("304", "It has not changed since If-None-Match"))
	route(s, spec{"cancelJob", POST, "/api/jobs/{id}/cancel", "Cancel a job", "Jobs", users, limitAPI, http.StatusOK}, s.cancelJob,
		answers[JobAnswer]("200", "The job as it stands: a running one stops within seconds"))
	route(s, spec{"retryJob", POST, "/api/jobs/{id}/retry", "Try a job again", "Jobs", users, limitAI, http.StatusAccepted}, s.retryJob,
		answers[JobAnswer]("202", "Accepted: a new job with retryOf"))

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
		fromAnywhere, rawBody, mayFail(http.StatusServiceUnavailable))

	route(s, spec{"health", GET, "/api/health", "How the service is", "Health", public, unlimited, http.StatusOK}, s.health,
		answers[Health]("503", "The database is down"))
	route(s, spec{"ready", GET, "/api/health/ready", "Whether to send requests here", "Health", public, unlimited, http.StatusOK}, s.ready,
		answers[Readiness]("503", "Not now"))
	route(s, spec{"live", GET, "/api/health/live", "Whether the process lives", "Health", public, unlimited, http.StatusOK}, s.live)
	route(s, spec{"probeReady", GET, "/health/ready", "The same, for probes", "Health", public, unlimited, http.StatusOK}, s.ready,
		answers[Readiness]("503", "Not now"))
	route(s, spec{"probeLive", GET, "/health/live", "The same, for probes", "Health", public, unlimited, http.StatusOK}, s.live)
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
	mayFailKey      = "mayFail"
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

// streams documents what the data of a stream's events may be.
func streams(description string, events ...reflect.Type) func(*huma.Operation, huma.Registry) {
	return func(operation *huma.Operation, registry huma.Registry) {
		data := &huma.Schema{Description: "The data of one event; its type says which of these it is"}
		for _, event := range events {
			data.OneOf = append(data.OneOf, registry.Schema(event, true, ""))
		}
		operation.Responses["200"] = &huma.Response{
			Description: description,
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: data}},
		}
	}
}

// mayFail documents errors beside those that every route of its sort has.
func mayFail(statuses ...int) func(*huma.Operation, huma.Registry) {
	return func(operation *huma.Operation, _ huma.Registry) {
		operation.Metadata[mayFailKey] = statuses // huma's own list would add a 422 to each
	}
}

// takes documents a body that a handler reads raw, and checks itself.
func takes[T any](mediaTypes ...string) func(*huma.Operation, huma.Registry) {
	return func(operation *huma.Operation, registry huma.Registry) {
		content := map[string]*huma.MediaType{}
		for _, mediaType := range mediaTypes {
			content[mediaType] = &huma.MediaType{Schema: registry.Schema(reflect.TypeFor[T](), true, "")}
		}
		operation.SkipValidateBody = true
		operation.RequestBody = &huma.RequestBody{Required: true, Content: content}
	}
}

// shows documents an answer that is a page for people.
func shows(status, description string) func(*huma.Operation, huma.Registry) {
	return func(operation *huma.Operation, _ huma.Registry) {
		operation.Responses[status] = &huma.Response{
			Description: description,
			Content:     map[string]*huma.MediaType{"text/html": {Schema: &huma.Schema{Type: huma.TypeString}}},
		}
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
