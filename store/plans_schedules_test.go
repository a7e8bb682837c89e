package store_test

import (
	"context"
	"time"

	"fanfare"
	"fanfare/store"
)

func callsOfSchedules(s *store.Store) map[string]call {
	const scheduled = 100 // a campaign of busy's
	cron := "0 9 * * *"
	o := fanfare.Occurrence{Local: "2030-01-01T09:00", At: time.Now().Add(time.Hour)}
	return map[string]call{
		"DatabaseTime": func(ctx context.Context) error { return second(s.DatabaseTime(ctx)) },
		"Attempt": func(ctx context.Context) error {
			return s.Attempt(ctx, func(ctx context.Context) error { return second(s.DatabaseTime(ctx)) })
		},
		"PutSchedule": func(ctx context.Context) error {
			return second(s.PutSchedule(ctx, fanfare.Schedule{
				CampaignID: uid(scheduled), UserID: busy, Cron: &cron, Timezone: "UTC", Misfire: fanfare.MisfireSkip,
			}, o))
		},
		"Schedule":       func(ctx context.Context) error { return second(s.Schedule(ctx, busy, uid(scheduled))) },
		"DeleteSchedule": func(ctx context.Context) error { return second(s.DeleteSchedule(ctx, busy, uid(scheduled))) },
		"DueSchedule":    func(ctx context.Context) error { return second(s.DueSchedule(ctx, uids(5, 10))) },
		"ReserveOccurrence": func(ctx context.Context) error {
			return second(s.ReserveOccurrence(ctx, uid(scheduled), o))
		},
		"SettleOccurrence": func(ctx context.Context) error {
			return s.SettleOccurrence(ctx, uid(scheduled), fanfare.OccurrenceRun{LocalTime: "20", At: o.At, Outcome: fanfare.OccurrenceLaunched})
		},
		"AdvanceSchedule": func(ctx context.Context) error {
			due, err := s.DueSchedule(ctx, nil)
			if err != nil {
				return err
			}
			return s.AdvanceSchedule(ctx, *due, &o, "")
		},
		"StopSchedulesWithout": func(ctx context.Context) error {
			return each([]string{busy, idle}, func(user string) error {
				return second(s.StopSchedulesWithout(ctx, user, fanfare.Email, "Gone."))
			})
		},
	}
}
