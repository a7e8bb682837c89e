package fanfare

import (
	"encoding/json"
	"time"
)

// The actions that audit records name.
const (
	ActionAuditDrop          = "audit.drop" // a month of records that had its time
	ActionAnalyticsAnalyze   = "analytics.analyze"
	ActionAnalyticsOptimize  = "analytics.optimize"
	ActionBrandCreate        = "brand.create"
	ActionBrandUpdate        = "brand.update"
	ActionBrandDelete        = "brand.delete"
	ActionCampaignCreate     = "campaign.create"
	ActionCampaignUpdate     = "campaign.update"
	ActionCampaignDelete     = "campaign.delete"
	ActionCampaignLaunch     = "campaign.launch"        // how a launch went
	ActionCampaignLaunchAsk  = "campaign.launch.submit" // who asked for it, or was refused
	ActionCampaignTestSend   = "campaign.test_send"
	ActionConversationDelete = "conversation.delete"
	ActionDeliveryUnknown    = "delivery.unknown"
	ActionDeliveryResend     = "delivery.resend"
	ActionInputRefused       = "input.refused" // a failure: a text that tried to steer the model
	ActionIntegrationCreate  = "integration.create"
	ActionIntegrationDelete  = "integration.delete"
	ActionIntegrationTest    = "integration.test"
	ActionJobAttemptStart    = "job.attempt.start"
	ActionJobAttemptEnd      = "job.attempt.end"
	ActionJobCancel          = "job.cancel"
	ActionJobExpire          = "job.expire"
	ActionJobRetry           = "job.retry"
	ActionJobRun             = "job.run" // before its time, by an operator
	ActionKeyCreate          = "key.create"
	ActionKeyDelete          = "key.delete"
	ActionQueuePause         = "queue.pause"
	ActionQueueResume        = "queue.resume"
	ActionQueueTidy          = "queue.tidy" // an entry of the dashboard was removed; its job stays as it was
	ActionRecipientsReplace  = "recipients.replace"
	ActionRecipientSuppress  = "recipient.suppress"
	ActionScheduleSet        = "schedule.set"
	ActionScheduleDelete     = "schedule.delete"
	ActionScheduleFire       = "schedule.fire"
	ActionScheduleSkip       = "schedule.skip"
	ActionScheduleStop       = "schedule.stop"
	ActionUserRegister       = "user.register"
	ActionUserLogin          = "user.login"
	ActionUserLogout         = "user.logout"
	ActionUserPassword       = "user.password"
	ActionUserDisable        = "user.disable"
)

// AuditActions are all actions that there are.
func AuditActions() []string {
	return []string{
		ActionAnalyticsAnalyze, ActionAnalyticsOptimize, ActionAuditDrop, ActionBrandCreate, ActionBrandDelete,
		ActionBrandUpdate, ActionCampaignCreate, ActionCampaignDelete, ActionCampaignLaunch, ActionCampaignLaunchAsk,
		ActionCampaignTestSend, ActionCampaignUpdate, ActionConversationDelete, ActionDeliveryResend, ActionDeliveryUnknown,
		ActionInputRefused, ActionIntegrationCreate, ActionIntegrationDelete, ActionIntegrationTest, ActionJobAttemptEnd,
		ActionJobAttemptStart, ActionJobCancel, ActionJobExpire, ActionJobRetry, ActionJobRun, ActionKeyCreate,
		ActionKeyDelete, ActionQueuePause, ActionQueueResume, ActionQueueTidy, ActionRecipientSuppress,
		ActionRecipientsReplace, ActionScheduleDelete, ActionScheduleFire, ActionScheduleSet, ActionScheduleSkip,
		ActionScheduleStop, ActionUserDisable, ActionUserLogin, ActionUserLogout, ActionUserPassword, ActionUserRegister,
	}
}

// AuditStatus says whether what an audit record tells of was done or refused.
type AuditStatus string

// The two outcomes that an audit record knows.
const (
	AuditSuccess AuditStatus = "success"
	AuditFailure AuditStatus = "failure"
)

// AuditRecord says who did what, when and from where. It is committed with the
// change that it describes.
type AuditRecord struct {
	ID        string
	UserID    string // "" where nobody is known
	Action    string
	Resource  string
	Metadata  map[string]any
	Origin    Origin
	Status    AuditStatus
	CreatedAt time.Time
}

// AuditEntry is an audit record as it lies in the table: what is not known is
// nil. It is what is shown and what is sealed.
type AuditEntry struct {
	ID        string          `json:"id" format:"uuid"`
	UserID    *string         `json:"userId" format:"uuid"`
	Action    string          `json:"action" example:"campaign.create"`
	Resource  *string         `json:"resource" doc:"The id of what it was done to"`
	Metadata  json.RawMessage `json:"metadata" doc:"An object"`
	IPAddress *string         `json:"ipAddress"`
	UserAgent *string         `json:"userAgent"`
	Status    AuditStatus     `json:"status" enum:"success,failure"`
	CreatedAt time.Time       `json:"createdAt"`
}

// Whose audit records are listed, in place of a user's id.
const (
	AuditsOfAny  = "any"  // everybody's, and those of nobody
	AuditsOfNone = "none" // of nobody known, such as a login with an unknown address
)

// AuditFilter narrows a list of audit records; what is empty does not.
type AuditFilter struct {
	Action   string
	Resource string
	Status   AuditStatus
	From, To time.Time // both inclusive
}

// Origin is where a request came from.
type Origin struct {
	IPAddress string
	UserAgent string
}
