package api

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"fanfare"
)

// What examples are about.
const (
	exampleJobID        = "01a204f5-ed6d-77fe-bfbc-ed33a961c0ee"
	exampleCampaignID   = "01a204f5-ed6b-7c2e-9d3f-5a0f2f6f7a10"
	exampleConversation = "01a204f5-ed6a-7b11-8f4e-0c64b2d1e9aa"
)

// illustrate adds examples to the operations that clients begin with. They are
// of the handlers' own types, and the document's linter checks them.
func illustrate(operation *huma.Operation) {
	show := func(media *huma.MediaType, example any) {
		if media != nil {
			media.Example = example
		}
	}
	for status, example := range exampleAnswers()[operation.OperationID] {
		show(operation.Responses[status].Content[jsonType], example)
	}
	if body, there := exampleBodies()[operation.OperationID]; there {
		show(operation.RequestBody.Content[jsonType], body)
	}
}

func exampleBodies() map[string]json.RawMessage {
	return map[string]json.RawMessage{
		"register":       json.RawMessage(`{"name": "Ada", "email": "ada@example.com", "password": "Quiet-harbour-77"}`),
		"login":          json.RawMessage(`{"email": "ada@example.com", "password": "Quiet-harbour-77"}`),
		"createKey":      json.RawMessage(`{"name": "the shop's server"}`),
		"submitCampaign": json.RawMessage(`{"prompt": "Announce our spring sale to customers in Berlin", "channels": ["email", "sms"]}`),
		"patchCampaign":  json.RawMessage(`{"budget": 250, "audience": {"recipients": {"email": ["ada@example.com"]}}}`),
		"launchCampaign": json.RawMessage(`{"campaignId": "` + exampleCampaignID + `", "channels": ["email"], "dryRun": true}`),
		"putSchedule":    json.RawMessage(`{"cron": "0 9 * * MON-FRI", "timezone": "Europe/Berlin"}`),
		"analyze": json.RawMessage(`{"campaignId": "` + exampleCampaignID +
			`", "goal": "More visits", "channels": ["email"], "metrics": {"opens": 0.21}}`),
		"createIntegration": json.RawMessage(`{"name": "SMTP", "type": "email", "credentials": {"host": "mail.example.com", "port": "587", "from": "shop@example.com"}}`),
	}
}

func exampleAnswers() map[string]map[string]any {
	queued, succeeded := exampleJob(), exampleJob()
	content := fanfare.Content{SMS: &fanfare.SMSContent{Text: "Spring sale: 20 % off until Sunday."}}
	campaign := exampleCampaign()
	campaign.Content, campaign.Status = content, fanfare.CampaignReady
	result := Generated{Campaign: campaign, ConversationID: exampleConversation}
	raw, _ := json.Marshal(result) // plain values always encode
	succeeded.Status, succeeded.Done, succeeded.Result = fanfare.JobSucceeded, true, raw
	succeeded.StartedAt, succeeded.FinishedAt = &succeeded.CreatedAt, new(succeeded.CreatedAt.Add(4*time.Second))
	succeeded.Attempt = 1
	return map[string]map[string]any{
		"submitCampaign": {
			"202": Submitted{Job: queued, Campaign: exampleCampaign(), ConversationID: exampleConversation},
			"200": result,
			"400": &ErrorBody{
				Message: "The request was refused: prompt: must have 1 to 2000 characters", Code: fanfare.CodeInvalidRequest, RequestID: "r1",
				Details: map[string]any{"fields": []fanfare.FieldError{{Field: "prompt", Message: "must have 1 to 2000 characters"}}},
			},
			"429": &ErrorBody{Message: "Rate limit exceeded", Code: fanfare.CodeRateLimited, RequestID: "r2", Details: map[string]any{
				"limit": 20, "remaining": 0, "reset": exampleTime().Add(time.Hour), "retryAfter": 180,
			}},
		},
		"getJob":    {"200": succeeded},
		"cancelJob": {"200": JobAnswer{Job: queued}},
	}
}

func exampleTime() time.Time { return time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC) }

func exampleJob() Job {
	return ViewJob(fanfare.Job{
		ID: exampleJobID, Kind: "campaign.generate", Status: fanfare.JobQueued, CampaignID: new(exampleCampaignID),
		MaxAttempts: 5, CreatedAt: exampleTime(), Deadline: exampleTime().Add(15 * time.Minute),
	})
}

func exampleCampaign() fanfare.Campaign {
	return fanfare.Campaign{
		ID: exampleCampaignID, Goal: "Announce our spring sale to customers in Berlin", Channels: []fanfare.Channel{fanfare.SMS},
		Audience: json.RawMessage(`{}`), Metrics: json.RawMessage(`{}`), Status: fanfare.CampaignGenerating,
		CreatedAt: exampleTime(), UpdatedAt: exampleTime(),
	}
}
