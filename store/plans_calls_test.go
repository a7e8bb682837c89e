package store_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"time"

	"fanfare"
	"fanfare/store"
)

// uid is the n-th id in the database that fillSQL fills.
func uid(n int) string { return fmt.Sprintf("00000000-0000-7000-8000-%012x", n) }

// busy is the user with the most of everything, idle one with nothing.
var busy, idle = uid(1), uid(20_000)

// call is a call of one of the store's methods.
type call = func(context.Context) error

// calls has a call of each method, by name: with several sets of arguments,
// where its statement depends on them.
func calls(s *store.Store) map[string]call {
	all := map[string]call{}
	for _, some := range []map[string]call{
		callsOfJobs(s), callsOfAttempts(s), callsOfStreams(s), callsOfCampaigns(s), callsOfConversations(s), callsOfBrandKits(s), callsOfUsers(s), callsOfSchedules(s),
		callsOfLaunches(s), callsOfTheLedger(s), callsOfRecipients(s), callsOfIntegrations(s), callsOfAudits(s),
	} {
		maps.Copy(all, some)
	}
	return all
}

func callsOfJobs(s *store.Store) map[string]call {
	return map[string]call{
		"Job": func(ctx context.Context) error { return second(s.Job(ctx, busy, uid(40_000))) },
		"AllJobs": func(ctx context.Context) error { // a rare kind is looked for among all, and what succeeded behind all that is not over: an operator can wait
			return each([]fanfare.JobFilter{
				{}, {Kind: "campaign.generate"}, {Status: fanfare.JobFailed}, {Status: fanfare.JobCanceled}, {Status: fanfare.JobExpired},
			}, func(f fanfare.JobFilter) error { return second(s.AllJobs(ctx, f, 20)) })
		},
		"AnyJob": func(ctx context.Context) error { return second(s.AnyJob(ctx, uid(40_000))) },
		"Jobs": func(ctx context.Context) error {
			every := fanfare.JobFilter{Status: fanfare.JobExpired, Kind: "analytics.optimize", CampaignID: uid(100)}
			return each(filters(every), func(f fanfare.JobFilter) error {
				return each(pages(40_000), func(p fanfare.Page) error { return second(s.Jobs(ctx, busy, f, p)) })
			})
		},
		"UnfinishedJobs": func(ctx context.Context) error {
			return each([]string{busy, idle}, func(user string) error { return second(s.UnfinishedJobs(ctx, user, 100)) })
		},
		"LiveJobs": func(ctx context.Context) error { return second(s.LiveJobs(ctx, busy, uid(100))) },
		"Submit": func(ctx context.Context) error {
			return second(s.Submit(ctx, fanfare.NewJob{
				UserID: busy, CampaignID: uid(100), Kind: "campaign.generate", Queue: "ai", Payload: json.RawMessage(`{}`), MaxAttempts: 5,
				Expiry: time.Minute, Exclusive: "campaign.generate:" + uid(100),
			}))
		},
		"Cancel":    func(ctx context.Context) error { return second(s.Cancel(ctx, busy, uids(49_985, 50_000)...)) },
		"Retry":     func(ctx context.Context) error { return second(s.Retry(ctx, busy, uid(47_900), false)) },
		"Reap":      func(ctx context.Context) error { return second(s.Reap(ctx, 100)) },
		"Expire":    func(ctx context.Context) error { return second(s.Expire(ctx, 100)) },
		"Uncarried": func(ctx context.Context) error { return second(s.Uncarried(ctx, 100, time.Minute)) },
		"Redispatch": func(ctx context.Context) error {
			return second(s.Redispatch(ctx, fanfare.Job{ID: uid(49_999), Dispatch: 1}))
		},
		"RunNow": func(ctx context.Context) error {
			_, _, err := s.RunNow(ctx, fanfare.Job{ID: uid(49_999), Dispatch: 1})
			return err
		},
		"Prune":     s.Prune,
		"Diagnose":  func(ctx context.Context) error { return second(s.Diagnose(ctx)) },
		"Failures":  func(ctx context.Context) error { return second(s.Failures(ctx, time.Hour)) },
		"Pulse":     func(ctx context.Context) error { return s.Pulse(ctx, "here:1:ab") },
		"WorkersUp": func(ctx context.Context) error { return second(s.WorkersUp(ctx, time.Minute)) },
		"Ping":      s.Ping,
		"Backlog":   func(ctx context.Context) error { return second(s.Backlog(ctx)) },
	}
}

// leases are those of the latest jobs, some of which run.
func leases() (all []fanfare.Lease) {
	for _, id := range uids(49_985, 50_000) {
		all = append(all, fanfare.Lease{JobID: id, Token: id})
	}
	return all
}

func callsOfAttempts(s *store.Store) map[string]call {
	return map[string]call{
		"Claim":     func(ctx context.Context) error { return second(s.Claim(ctx, "w1", leases(), time.Minute)) },
		"Held":      func(ctx context.Context) error { return second(s.Held(ctx, leases()[0])) },
		"Heartbeat": func(ctx context.Context) error { return second(s.Heartbeat(ctx, "w1", leases(), time.Minute)) },
		"RecordSteps": func(ctx context.Context) error {
			var steps []fanfare.StepDone
			for _, lease := range leases() {
				steps = append(steps, fanfare.StepDone{Lease: lease, Name: "email", Output: json.RawMessage(`{}`)})
			}
			return second(s.RecordSteps(ctx, steps))
		},
		"Finish": func(ctx context.Context) error {
			var outcomes []fanfare.Outcome
			for _, lease := range leases() {
				outcomes = append(outcomes, fanfare.Outcome{
					Lease: lease, Status: fanfare.JobSucceeded, Result: json.RawMessage(`{}`),
					Reply: &fanfare.Reply{ConversationID: uid(100), Content: "Done."},
				})
			}
			return second(s.Finish(ctx, outcomes))
		},
	}
}

func callsOfStreams(s *store.Store) map[string]call {
	return map[string]call{
		"Events": func(ctx context.Context) error { return second(s.Events(ctx, busy, uid(40_000), 1, 100)) },
		"Origin": func(ctx context.Context) error { return second(s.Origin(ctx)) },
		"Unfinished": func(ctx context.Context) error {
			return each([]string{busy, idle}, func(user string) error { _, _, err := s.Unfinished(ctx, user, 100); return err })
		},
		"UserEvents": func(ctx context.Context) error {
			return each([]string{busy, idle}, func(user string) error {
				_, _, _, err := s.UserEvents(ctx, user, fanfare.Cursor{Position: "400", JobID: uid(40_000), Sequence: 1}, 100)
				return err
			})
		},
		"Versions":        func(ctx context.Context) error { return second(s.Versions(ctx, uids(1, 50), uids(1, 50))) },
		"LiveCredentials": func(ctx context.Context) error { return second(s.LiveCredentials(ctx, uids(1, 50), uids(1, 50))) },
	}
}

func callsOfCampaigns(s *store.Store) map[string]call {
	return map[string]call{
		"CreateCampaign": func(ctx context.Context) error {
			return second(s.CreateCampaign(ctx, fanfare.Campaign{UserID: busy, Status: fanfare.CampaignDraft}))
		},
		"Campaign":          func(ctx context.Context) error { return second(s.Campaign(ctx, busy, uid(100))) },
		"CampaignForUpdate": func(ctx context.Context) error { return second(s.CampaignForUpdate(ctx, busy, uid(100))) },
		"Campaigns": func(ctx context.Context) error {
			return each([]fanfare.CampaignStatus{"", fanfare.CampaignFailed}, func(status fanfare.CampaignStatus) error {
				return each(pages(10_000), func(p fanfare.Page) error { return second(s.Campaigns(ctx, busy, status, p)) })
			})
		},
		"UpdateCampaign": func(ctx context.Context) error {
			return second(s.UpdateCampaign(ctx, fanfare.Campaign{ID: uid(100), UserID: busy, Audience: json.RawMessage(`{}`)}))
		},
		"DeleteCampaign": func(ctx context.Context) error { return s.DeleteCampaign(ctx, busy, uid(100)) },
	}
}

func callsOfConversations(s *store.Store) map[string]call {
	return map[string]call{
		"StartConversation": func(ctx context.Context) error { return second(s.StartConversation(ctx, busy)) },
		"History":           func(ctx context.Context) error { return second(s.History(ctx, busy, uid(100))) },
		"AddTurns": func(ctx context.Context) error {
			return s.AddTurns(ctx, uid(100), fanfare.Turn{Role: "user", Content: "tea"})
		},
		"Conversations": func(ctx context.Context) error {
			return each(pages(10_000), func(p fanfare.Page) error { return second(s.Conversations(ctx, busy, p)) })
		},
		"Conversation":       func(ctx context.Context) error { return second(s.Conversation(ctx, busy, uid(100))) },
		"DeleteConversation": func(ctx context.Context) error { return s.DeleteConversation(ctx, busy, uid(200)) },
	}
}

func callsOfBrandKits(s *store.Store) map[string]call {
	return map[string]call{
		"Voice": func(ctx context.Context) error {
			return each([]string{"", uid(12_000 - 1)}, func(id string) error { return second(s.Voice(ctx, busy, id)) })
		},
		"BrandKits": func(ctx context.Context) error {
			return each([]bool{false, true}, func(active bool) error {
				return each(pages(12_000), func(p fanfare.Page) error { return second(s.BrandKits(ctx, busy, active, p)) })
			})
		},
		"BrandKitForUpdate": func(ctx context.Context) error { return second(s.BrandKitForUpdate(ctx, busy, uid(11_999))) },
		"CreateBrandKit":    func(ctx context.Context) error { return second(s.CreateBrandKit(ctx, busy, fanfare.BrandKit{})) },
		"UpdateBrandKit": func(ctx context.Context) error {
			return second(s.UpdateBrandKit(ctx, busy, fanfare.BrandKit{ID: uid(11_999), IsActive: true}))
		},
		"DeleteBrandKit": func(ctx context.Context) error { return s.DeleteBrandKit(ctx, busy, uid(11_999)) },
	}
}

func callsOfUsers(s *store.Store) map[string]call {
	digest := binary.BigEndian.AppendUint64(nil, 6_000)
	key := fanfare.IdempotencyKey{UserID: busy, Method: "POST", Path: "/api/campaign", Key: "20000", BodyDigest: []byte("x")}
	return map[string]call{
		"CreateUser": func(ctx context.Context) error {
			return second(s.CreateUser(ctx, fanfare.User{Email: "eve@example.org", Role: fanfare.RoleUser}))
		},
		"User":        func(ctx context.Context) error { return second(s.User(ctx, busy)) },
		"UserByEmail": func(ctx context.Context) error { return second(s.UserByEmail(ctx, "1@example.org")) },
		"Users":       func(ctx context.Context) error { return second(s.Users(ctx)) },
		"SetPassword": func(ctx context.Context) error { return s.SetPassword(ctx, busy, "other") },
		"Rehash":      func(ctx context.Context) error { return s.Rehash(ctx, busy, "hash", "other") },
		"DisableUser": func(ctx context.Context) error { return s.DisableUser(ctx, uid(2)) },
		"CreateSession": func(ctx context.Context) error {
			return second(s.CreateSession(ctx, fanfare.User{ID: busy, PasswordHash: "hash"}, []byte("new"), time.Hour))
		},
		"IdentityBySession": func(ctx context.Context) error { return second(s.IdentityBySession(ctx, digest)) },
		"DeleteSession":     func(ctx context.Context) error { return s.DeleteSession(ctx, uid(100)) },
		"CreateAPIKey":      func(ctx context.Context) error { return second(s.CreateAPIKey(ctx, busy, "k", []byte("new"))) },
		"APIKeys": func(ctx context.Context) error {
			return each(pages(3_000), func(p fanfare.Page) error { return second(s.APIKeys(ctx, busy, p)) })
		},
		"DeleteAPIKey":     func(ctx context.Context) error { return s.DeleteAPIKey(ctx, busy, uid(100)) },
		"IdentityByAPIKey": func(ctx context.Context) error { return second(s.IdentityByAPIKey(ctx, digest)) },
		"Replay":           func(ctx context.Context) error { return second(s.Replay(ctx, key)) },
		"SaveResponse": func(ctx context.Context) error {
			return s.SaveResponse(ctx, key, fanfare.StoredResponse{Status: 202, Body: json.RawMessage(`{}`)})
		},
	}
}

func second[T any](_ T, err error) error { return err }

func each[T any](items []T, do func(T) error) error {
	for _, item := range items {
		if err := do(item); err != nil {
			return err
		}
	}
	return nil
}

func uids(from, to int) (ids []string) {
	for n := from; n <= to; n++ {
		ids = append(ids, uid(n))
	}
	return ids
}

// pages are the first page of a list, and one after the n-th of its things,
// each of which is a minute younger than the one before it.
func pages(n int) []fanfare.Page {
	return []fanfare.Page{
		{Limit: 20},
		{Limit: 20, Before: &fanfare.Position{CreatedAt: time.Now().Add(-time.Duration(n) * time.Minute / 2), ID: uid(n)}},
	}
}

// filters are all subsets of a filter's fields, each of which must be set.
func filters[F any](every F) []F {
	var subsets []F
	fields := reflect.ValueOf(every)
	for set := range 1 << fields.NumField() {
		var subset F
		for i := range fields.NumField() {
			if fields.Field(i).IsZero() {
				panic("give the filter's " + fields.Type().Field(i).Name + " a value")
			}
			if set&(1<<i) != 0 {
				reflect.ValueOf(&subset).Elem().Field(i).Set(fields.Field(i))
			}
		}
		subsets = append(subsets, subset)
	}
	return subsets
}
