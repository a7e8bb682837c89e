package store_test

import (
	"context"
	"time"

	"fanfare"
	"fanfare/store"
)

// Launches of busy's campaign uid(100): a large one that is over, a small one
// from before it, and the one under way.
const (
	largeLaunch = 50
	smallLaunch = 20
	underWay    = 100
)

// launching is the lease of the job that sends the launch under way.
var launching = fanfare.Lease{JobID: uid(49_990), Token: uid(49_990)}

func callsOfLaunches(s *store.Store) map[string]call {
	return map[string]call{
		"CreateLaunch": func(ctx context.Context) error {
			return second(s.CreateLaunch(ctx, fanfare.Launch{UserID: busy, CampaignID: uid(100), Channels: []fanfare.Channel{fanfare.Email}}))
		},
		"LaunchChannel": func(ctx context.Context) error {
			return second(s.LaunchChannel(ctx, uid(underWay), fanfare.Email))
		},
		"Plan": func(ctx context.Context) error {
			launch := fanfare.Launch{ID: uid(underWay), UserID: busy, CampaignID: uid(100)}
			if err := s.Plan(ctx, launching, launch, fanfare.Email, uid(2000), false); err != nil {
				return err
			}
			return s.Plan(ctx, launching, launch, fanfare.Social, uid(4000), true)
		},
		// It reads a launch as a whole, so not the large one.
		"DeliveryCounts": func(ctx context.Context) error { return second(s.DeliveryCounts(ctx, uid(smallLaunch))) },
		"ProviderIDs": func(ctx context.Context) error {
			return second(s.ProviderIDs(ctx, uid(largeLaunch), fanfare.Email, 100))
		},
		"CampaignRecipients": func(ctx context.Context) error {
			return second(s.CampaignRecipients(ctx, busy, uid(100), fanfare.Email, 20))
		},
		"Deliveries": func(ctx context.Context) error {
			return each([]string{uid(smallLaunch), uid(largeLaunch)}, func(launch string) error {
				every := fanfare.DeliveryFilter{Status: fanfare.DeliveryFailed, Channel: fanfare.SMS, LaunchID: launch}
				return each(filters(every), func(f fanfare.DeliveryFilter) error {
					return each(pages(78_300), func(p fanfare.Page) error { return second(s.Deliveries(ctx, busy, uid(100), f, p)) })
				})
			})
		},
		"PruneJobs": func(ctx context.Context) error { return s.PruneJobs(ctx, 828*time.Hour) },
	}
}

func callsOfTheLedger(s *store.Store) map[string]call {
	page := fanfare.LedgerPage{LaunchID: uid(underWay), Channel: fanfare.Email, Limit: 50}
	return map[string]call{
		"Turn": func(ctx context.Context) error {
			begun, err := s.Turn(ctx, launching, nil, page)
			if err != nil {
				return err
			}
			var settled []fanfare.Settlement
			for _, d := range begun {
				settled = append(settled, fanfare.Settlement{ID: d.ID, Status: fanfare.DeliveryUnknown})
			}
			next := page
			next.After = begun[len(begun)-1].ID
			return second(s.Turn(ctx, launching, settled, next))
		},
		"Stranded": func(ctx context.Context) error { return second(s.Stranded(ctx, launching, page)) },
		"FailRest": func(ctx context.Context) error {
			return s.FailRest(ctx, launching, uid(underWay), fanfare.Email, "Nobody takes them.")
		},
		"Reopen": func(ctx context.Context) error {
			return each([]bool{false, true}, func(unknown bool) error { return s.Reopen(ctx, launching, uid(largeLaunch), unknown) })
		},
		"Abandon": func(ctx context.Context) error {
			return s.Abandon(ctx, launching, uid(underWay), fanfare.Email, fanfare.LostInFlight)
		},
		"SettleAbandoned": func(ctx context.Context) error { return second(s.SettleAbandoned(ctx, 100)) },
		"Reserve": func(ctx context.Context) error {
			return each([]float64{0, 10}, func(rate float64) error { return second(s.Reserve(ctx, uid(2000), rate, time.Minute)) })
		},
		"Hold": func(ctx context.Context) error { return s.Hold(ctx, uid(2000), time.Minute) },
	}
}

func callsOfRecipients(s *store.Store) map[string]call {
	const list, campaign = 2, 100 // busy's
	return map[string]call{
		"NewRecipientList": func(ctx context.Context) error { return second(s.NewRecipientList(ctx, uid(campaign))) },
		"AddRecipients": func(ctx context.Context) error {
			var recipients []fanfare.Recipient
			for _, id := range uids(1, 1000) {
				recipients = append(recipients, fanfare.Recipient{Channel: fanfare.Email, Address: id + "@example.org"})
			}
			return second(s.AddRecipients(ctx, uid(list), recipients))
		},
		"CopyRecipients": func(ctx context.Context) error {
			return second(s.CopyRecipients(ctx, uid(list), uid(9_999), fanfare.Email))
		},
		"RecipientList": func(ctx context.Context) error { return second(s.RecipientList(ctx, busy, uid(campaign))) },
		"UseRecipients": func(ctx context.Context) error {
			return each([]string{uid(9_999), ""}, func(list string) error {
				return second(s.UseRecipients(ctx, busy, uid(campaign), list, fanfare.RecipientCounts{Email: 1}))
			})
		},
		"SuppressRecipient": func(ctx context.Context) error {
			return second(s.SuppressRecipient(ctx, busy, fanfare.Email, "eve@example.org", fanfare.Unsubscribed))
		},
		"Suppressed": func(ctx context.Context) error {
			return second(s.Suppressed(ctx, busy, fanfare.Email, "100@example.org"))
		},
	}
}
