package fanfare

import "time"

// Launch is one sending of a campaign: over its channels, to each recipient at
// most once, by however many jobs it takes.
type Launch struct {
	ID         string
	UserID     string
	CampaignID string
	Channels   []Channel
	// Integrations that the launch was told to use, by channel.
	Integrations map[Channel]string
}

// LaunchChannel is what the first attempt that sent has fixed for a channel.
type LaunchChannel struct {
	IntegrationID string // "" where nothing is fixed yet
	// Broadcast says that its one delivery is for a provider that knows the
	// recipients.
	Broadcast bool
}

// Settlement is what became of a delivery that was sending.
type Settlement struct {
	ID         string
	Status     DeliveryStatus // pending where the provider certainly did not take it
	ProviderID string
	Reason     string // why it is not sent, for a person; "" if it is
}

// Begun is a delivery whose sending has begun, or that is left out since its
// recipient wants no more messages.
type Begun struct {
	ID        string
	Recipient string // "" for a broadcast
	Skipped   bool
	Again     bool // it was begun before, and nobody said that it surely failed
}

// LedgerPage asks for the next deliveries of a launch on one channel: those
// after a delivery's id, "" from the first.
type LedgerPage struct {
	LaunchID string
	Channel  Channel
	After    string
	Limit    int
}

// DeliveryCount is how many deliveries of a channel are in one status.
type DeliveryCount struct {
	Channel Channel        `db:"channel"`
	Status  DeliveryStatus `db:"status"`
	Count   int            `db:"count"`
}

// LostInFlight is why a delivery is unknown whose worker was lost.
const LostInFlight = "The worker was lost while this was handed over, and the provider can't say whether it took it."

// DeliveryStatus is where a delivery stands.
type DeliveryStatus string

// The states of a delivery. It is sending from before the provider is asked
// until the answer is stored; unknown where nobody can tell whether the
// provider took it, and then it is not sent again unless a person says so.
const (
	DeliveryPending DeliveryStatus = "pending"
	DeliverySending DeliveryStatus = "sending"
	DeliverySent    DeliveryStatus = "sent"
	DeliveryFailed  DeliveryStatus = "failed"
	DeliveryUnknown DeliveryStatus = "unknown"
	DeliverySkipped DeliveryStatus = "skipped"
)

// Delivery is a launch's message to one recipient, or to a provider.
type Delivery struct {
	ID         string         `json:"id" format:"uuid"`
	LaunchID   string         `json:"launchId" format:"uuid"`
	Channel    Channel        `json:"channel"`
	Recipient  *string        `json:"recipient" doc:"null where the provider knows the recipients"`
	Status     DeliveryStatus `json:"status" enum:"pending,sending,sent,failed,unknown,skipped"`
	ProviderID *string        `json:"providerId"`
	Error      *string        `json:"error" doc:"Why it is not sent"`
	CreatedAt  time.Time      `json:"createdAt"`
	UpdatedAt  time.Time      `json:"updatedAt"`
}

// DeliveryFilter narrows a list of deliveries; what is empty does not.
type DeliveryFilter struct {
	Status   DeliveryStatus
	Channel  Channel
	LaunchID string
}

// ChannelResult is how a launch went on one channel.
type ChannelResult struct {
	Channel     Channel        `json:"channel"`
	Integration *string        `json:"integration" format:"uuid" doc:"The id of the one that was used"`
	Status      DeliveryStatus `json:"status" enum:"sent,failed,skipped,unknown" doc:"sent if anything was sent"`
	Sent        int            `json:"sent"`
	Failed      int            `json:"failed"`
	Unknown     int            `json:"unknown" doc:"It can't be told whether the provider took them; they are not sent again unless a retry says so"`
	Skipped     int            `json:"skipped" doc:"Unsubscribed, for one"`
	ProviderIDs []string       `json:"providerIds" nullable:"false" doc:"At most 100"`
	Error       *string        `json:"error"`
	// Requests are what a dry run would send: to at most 20 recipients.
	Requests []OutgoingRequest `json:"requests,omitempty" doc:"Of a dry run: what would go out, to at most 20 of the recipients"`
}
