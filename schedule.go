package fanfare

import "time"

// Misfire says what becomes of an occurrence that could not be run when it
// came due, because nothing ran at the time.
type Misfire string

// The ways with a misfire.
const (
	MisfireSkip    Misfire = "skip"     // it is left out
	MisfireRunOnce Misfire = "run_once" // the latest one is made up for, if that is not too late
)

// Tolerance is how late an occurrence may still be run. Even one that must be
// punctual gets a minute: that is how fine a cron is.
func (m Misfire) Tolerance() time.Duration {
	if m == MisfireSkip {
		return time.Minute
	}
	return time.Hour
}

// Schedule says when a campaign is launched by itself. It has either a Cron or
// a RunAt.
type Schedule struct {
	ID         string     `json:"id" format:"uuid"`
	CampaignID string     `json:"campaignId" format:"uuid"`
	UserID     string     `json:"-"` // the campaign's owner
	Cron       *string    `json:"cron" doc:"Five fields on the clock of the time zone; null where runAt says when"`
	RunAt      *time.Time `json:"runAt"`
	Timezone   string     `json:"timezone" doc:"An IANA name"`
	Channels   []Channel  `json:"channels" nullable:"false" doc:"Empty for all of the campaign's"`
	Misfire    Misfire    `json:"misfire" enum:"skip,run_once"`
	Enabled    bool       `json:"enabled"`
	Reason     *string    `json:"reason" doc:"Why it is not enabled any more"`
	// NextRuns are worked out when somebody asks, so they are not there in
	// what was stored.
	NextRuns       []time.Time    `json:"nextRuns,omitzero" nullable:"false" doc:"The next times at which it is due, at most 5"`
	LastRun        *time.Time     `json:"lastRun" doc:"The time that was due when it was launched last"`
	LastOccurrence *OccurrenceRun `json:"lastOccurrence" doc:"What became of the latest time that was due"`
	CreatedAt      time.Time      `json:"createdAt"`
	UpdatedAt      time.Time      `json:"updatedAt"`
}

// Occurrence is one of a schedule's times.
type Occurrence struct {
	// Local is what the schedule's clock shows, such as 2026-03-29T02:30: no
	// two occurrences of a schedule share it. A time that was given with an
	// offset keeps that: 2026-03-29T02:30:00+02:00.
	Local string
	At    time.Time
}

// OccurrenceOutcome is what became of an occurrence.
type OccurrenceOutcome string

// The outcomes of an occurrence.
const (
	OccurrenceLaunched OccurrenceOutcome = "launched"
	OccurrenceSkipped  OccurrenceOutcome = "skipped" // it could not be launched
	OccurrenceMissed   OccurrenceOutcome = "missed"  // nothing ran at the time
)

// OccurrenceRun tells what became of an occurrence.
type OccurrenceRun struct {
	LocalTime string            `json:"localTime" doc:"What the time zone's clock showed"`
	At        time.Time         `json:"at" doc:"When it was due"`
	Outcome   OccurrenceOutcome `json:"outcome" enum:"launched,skipped,missed"`
	Reason    *string           `json:"reason" doc:"Why it was not launched"`
	JobID     *string           `json:"jobId" format:"uuid" doc:"Of the launch"`
}

// DueSchedule is a schedule of which an occurrence has come due.
type DueSchedule struct {
	Schedule
	Due           Occurrence // the first one that nobody has looked after
	OwnerDisabled bool       // the owner is locked out
	Now           time.Time  // by the database's clock
}
