package api

import "github.com/danielgtaylor/huma/v2"

// apiVersion is the document's, not the program's, whose version health tells:
// it changes when clients have to know of something.
const apiVersion = "1.0.0"

const apiDescription = `Fanfare turns a marketing brief into content for each channel, and launches it.

**Jobs.** A POST that starts work answers 202 with a job at once. Poll the job at its Retry-After, send ` + "`Prefer: wait=25`" + ` to
hear as soon as it is done, or watch its stream. What was accepted is never lost; when the model fails, the job fails and says why.

**Repeating.** Send ` + "`Idempotency-Key`" + ` with each POST that creates something: a repeat within 24 hours gets the first answer again.

**Who.** Programs send an API key as ` + "`Authorization: Bearer`" + `, browsers the cookie that signing in sets.

**Errors** have one shape, whatever their status: a sentence for a person, and a ` + "`code`" + ` for programs.

**Lists** are newest first. The next page is in the Link header, as ` + "`rel=\"next\"`" + `.

**Times** are RFC 3339 in UTC, ids UUIDs of version 7. Fields may be added to answers; unknown ones in bodies are ignored.`

// introduce writes what stands above the operations.
func introduce(doc *huma.OpenAPI) {
	doc.Info.Description = apiDescription
	doc.Servers = []*huma.Server{{URL: "/", Description: "The server that this document is read from"}}
	doc.Components.Headers = headerComponents()
	doc.Tags = []*huma.Tag{
		{Name: "Auth", Description: "Accounts, and the sessions of browsers."},
		{Name: "API keys", Description: "Let a program act for a user. A key is shown once."},
		{Name: "Campaigns", Description: "A brief becomes content, content becomes messages."},
		{Name: "Recipients", Description: "Who gets a campaign, and who wants no more."},
		{Name: "Schedules", Description: "A campaign can launch itself: once, or by a cron in a time zone."},
		{Name: "Analytics", Description: "What a campaign's metrics mean, and how it could do better."},
		{Name: "Brand kits", Description: "How a brand looks and sounds. The active one gives content its voice."},
		{Name: "Integrations", Description: "Connections to those who deliver. Credentials are kept encrypted and never shown."},
		{Name: "Conversations", Description: "Briefs and answers, in turns."},
		{Name: "Audit", Description: "Who did what, when: recorded with the change itself."},
		{Name: "Jobs", Description: "Work that was accepted. Each reaches exactly one final status."},
		{Name: "Streams", Description: "Server-sent events (text/event-stream), to be resumed with Last-Event-ID."},
		{Name: "Health", Description: "For monitors and load balancers. Not counted against any limit."},
	}
}

// descriptions say, by operation, what its summary and its types don't.
func descriptions() map[string]string {
	const starts = " With `Prefer: wait=N` the answer is 200 with the result itself, if it is there within N seconds; " +
		"else it is the 202, with the job as it stands."
	return map[string]string{
		"register":              "An address counts once, whatever its case. Nobody is signed in by this.",
		"login":                 "A wrong password and an unknown address are answered alike, after the same time. The answer sets the session's cookie.",
		"session":               "An empty object where nobody is signed in. expires is there for sessions only, not for API keys.",
		"logout":                "The session is dead on the server too, and its open streams end.",
		"createKey":             "The key stands in this answer only; a replay leaves it out.",
		"submitCampaign":        "A job of kind `campaign.generate` reads the brief and writes for each channel; its result is a Generated." + starts,
		"patchCampaign":         "A JSON Merge Patch (RFC 7396). Refused while a job works on the campaign.",
		"deleteCampaign":        "Cancels its live jobs and its schedule. Its jobs and audit records stay readable.",
		"putRecipients":         "The file is read as it comes. One that does not arrive whole, or has nobody in it, changes nothing.",
		"listDeliveries":        "What became of each message, of all the campaign's launches.",
		"launchCampaign":        "A job of kind `campaign.launch` sends the content, to each recipient at most once; its result is a Launched. A channel that can't be sent on is skipped, with the reason." + starts,
		"testSend":              "One message, marked as a test, to one address. Where it was not sent, reason says why.",
		"putSchedule":           "Either cron or runAt. A new schedule takes the old one's place.",
		"analyze":               "A job of kind `analytics.analyze`; its result is an Analysis." + starts,
		"listBrandKits":         "Cached for an hour, and never older than the last change.",
		"createBrandKit":        "A new kit becomes the only active one.",
		"patchBrandKit":         "A JSON Merge Patch (RFC 7396).",
		"testIntegration":       "A real call to the provider. What went wrong there is reason, in a 200; the errors of this route have success: false too.",
		"listAudits":            "One's own records; an admin may read everybody's.",
		"getJob":                "Send the ETag back as If-None-Match, and a job that has not changed is a 304. With `Prefer: wait=N` the answer comes as soon as the job is over.",
		"cancelJob":             "A waiting job never runs; a running one stops within seconds. Also 200 where it is over already.",
		"retryJob":              "Of a job that failed, was canceled or expired. Retrying a launch goes on with it, and touches only what failed or was not sent.",
		"suggestOptimizations":  "A job of kind `analytics.optimize`; its result is an Optimizations." + starts,
		"patchBrandKitByQuery":  "A JSON Merge Patch (RFC 7396). The same as with the id in the path.",
		"deleteBrandKitByQuery": "The same as with the id in the path.", "deleteIntegrationByQuery": "The same as with the id in the path.",
		"jobEvents": "A frame has `event`, the type, and `data`, which is described here; a durable event has its sequence as `id`:\n\n" +
			"    id: 42\n    event: job.progress\n    data: {\"type\":\"job.progress\",\"sequence\":42,\"jobId\":\"…\",\"job\":{…}}\n\n" +
			"Connect again with Last-Event-ID, as an EventSource does by itself: what came after it is sent, none lost, none twice.",
		"events": "Its ids are opaque cursors over all jobs; connect again with the last one as Last-Event-ID.",
		"health": "`degraded`: it accepts jobs, but something that they need is missing. `unhealthy`, with a 503: the database is down.",
	}
}
