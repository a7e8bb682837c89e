package fanfare

import "time"

// The actions that audit records name.
const (
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
	ActionIntegrationCreate  = "integration.create"
	ActionIntegrationDelete  = "integration.delete"
	ActionIntegrationTest    = "integration.test"
	ActionJobAttemptStart    = "job.attempt.start"
	ActionJobAttemptEnd      = "job.attempt.end"
	ActionJobCancel          = "job.cancel"
	ActionJobRetry           = "job.retry"
	ActionKeyCreate          = "key.create"
	ActionKeyDelete          = "key.delete"
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

// Origin is where a request came from.
type Origin struct {
	IPAddress string
	UserAgent string
}
