package app

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"fanfare"
)

const (
	demoCron     = "0 9 * * 1"
	demoTimezone = "Europe/Berlin"
)

// schedule shows when the campaign would be launched by itself, and takes the
// schedule back: nothing is to go out that nobody asked for.
func (t *tour) schedule(ctx context.Context) error {
	t.say("\n── Schedule ──")
	path := "/api/campaign/" + t.campaign.ID + "/schedule"
	var set fanfare.Schedule
	if err := t.api.do(ctx, http.MethodPut, path, map[string]any{
		"cron": demoCron, "timezone": demoTimezone, "channels": []fanfare.Channel{fanfare.Email},
	}, &set); err != nil {
		return err
	}
	zone, err := time.LoadLocation(demoTimezone)
	if err != nil {
		return fmt.Errorf("reading the time zone: %w", err)
	}
	t.say("Every Monday at nine in Berlin (%s, %s). The next times:", demoCron, demoTimezone)
	for _, at := range set.NextRuns {
		t.say("  %s", at.In(zone).Format("Mon 2 Jan 2006 15:04 MST"))
	}
	if err := t.api.do(ctx, http.MethodDelete, path, nil, nil); err != nil {
		return fmt.Errorf("deleting the schedule: %w", err)
	}
	t.say("The schedule is deleted again, so that nothing goes out by itself later.")
	if len(set.NextRuns) == 0 {
		return errors.New("the schedule has no next time")
	}
	return nil
}
