package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
	"fanfare/store"
)

// list reads one page; its items come as ids with where they stand.
type list struct {
	add  func() string
	page func(fanfare.Page) ([]fanfare.Position, error)
}

func lists(t *testing.T, db *teststore.DB, userID string) map[string]list {
	key := 0
	return map[string]list{
		"jobs": {
			add: func() string { return db.Queued().ID },
			page: func(p fanfare.Page) ([]fanfare.Position, error) {
				jobs, err := db.Jobs(t.Context(), userID, fanfare.JobFilter{}, p)
				return positions(jobs, func(j fanfare.Job) fanfare.Position { return fanfare.Position{CreatedAt: j.CreatedAt, ID: j.ID} }), err
			},
		},
		"campaigns": {
			add: func() string { return db.NewCampaign().ID },
			page: func(p fanfare.Page) ([]fanfare.Position, error) {
				campaigns, err := db.Campaigns(t.Context(), userID, "", p)
				return positions(campaigns, func(c fanfare.Campaign) fanfare.Position { return fanfare.Position{CreatedAt: c.CreatedAt, ID: c.ID} }), err
			},
		},
		"integrations": {
			add: func() string { key++; return integration(t, db, fmt.Sprint("p", key), fanfare.Email).ID },
			page: func(p fanfare.Page) ([]fanfare.Position, error) {
				integrations, err := db.Integrations(t.Context(), userID, "", p)
				return positions(integrations, func(i fanfare.Integration) fanfare.Position {
					return fanfare.Position{CreatedAt: i.CreatedAt, ID: i.ID}
				}), err
			},
		},
		"api_keys": {
			add: func() string {
				key++
				k, err := db.CreateAPIKey(t.Context(), db.User.ID, "k", []byte{byte(key)})
				if err != nil {
					t.Fatal(err)
				}
				return k.ID
			},
			page: func(p fanfare.Page) ([]fanfare.Position, error) {
				keys, err := db.APIKeys(t.Context(), userID, p)
				return positions(keys, func(k fanfare.APIKey) fanfare.Position { return fanfare.Position{CreatedAt: k.CreatedAt, ID: k.ID} }), err
			},
		},
	}
}

func positions[T any](items []T, of func(T) fanfare.Position) []fanfare.Position {
	found := make([]fanfare.Position, len(items))
	for i, item := range items {
		found[i] = of(item)
	}
	return found
}

// TestPagesShowEachItemOnce, newest first, whatever is added meanwhile, and
// where items are of the same instant.
func TestPagesShowEachItemOnce(t *testing.T) {
	db := teststore.New(t)
	for name, l := range lists(t, db, db.User.ID) {
		t.Run(name, func(t *testing.T) {
			var want []string
			for range 7 {
				want = append([]string{l.add()}, want...)
			}
			db.Exec(`UPDATE ` + name + ` SET created_at = now() - interval '1 hour'`) // all at once: ids decide
			var got []string
			page := fanfare.Page{Limit: 2}
			for {
				items, err := l.page(page)
				if err != nil || len(items) > 2 {
					t.Fatalf("%d items, %v", len(items), err)
				}
				for _, item := range items {
					got = append(got, item.ID)
					page.Before = &item
				}
				if len(items) < 2 {
					break
				}
				l.add()
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestListsAreTheOwners(t *testing.T) {
	db := teststore.New(t)
	for name, l := range lists(t, db, db.NewUser().ID) {
		l.add()
		if items, err := l.page(fanfare.Page{Limit: 10}); len(items) != 0 || err != nil {
			t.Errorf("%s: somebody else sees %v, %v", name, items, err)
		}
	}
}

func TestJobFilters(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign()
	first := db.Queued(func(job *fanfare.NewJob) { job.CampaignID = campaign.ID })
	second := db.Queued(func(job *fanfare.NewJob) { job.Kind = "analytics.analyze" })
	third := db.Claimed(db.Queued()).Job
	for name, test := range map[string]struct {
		filter fanfare.JobFilter
		want   []string
	}{
		"all":         {fanfare.JobFilter{}, []string{third.ID, second.ID, first.ID}},
		"status":      {fanfare.JobFilter{Status: fanfare.JobRunning}, []string{third.ID}},
		"kind":        {fanfare.JobFilter{Kind: "analytics.analyze"}, []string{second.ID}},
		"campaign":    {fanfare.JobFilter{CampaignID: campaign.ID}, []string{first.ID}},
		"together":    {fanfare.JobFilter{Status: fanfare.JobQueued, Kind: "campaign.generate", CampaignID: campaign.ID}, []string{first.ID}},
		"no campaign": {fanfare.JobFilter{CampaignID: store.NewID()}, []string{}},
		"no id":       {fanfare.JobFilter{CampaignID: "no-id"}, []string{}},
	} {
		jobs, err := db.Jobs(t.Context(), db.User.ID, test.filter, fanfare.Page{Limit: 10})
		if diff := cmp.Diff(test.want, ids(jobs)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestCampaignsByStatus(t *testing.T) {
	db := teststore.New(t)
	generating := db.NewCampaign()
	db.Exec(`UPDATE campaigns SET status = 'ready' WHERE id = $1`, db.NewCampaign().ID)
	found, err := db.Campaigns(t.Context(), db.User.ID, fanfare.CampaignGenerating, fanfare.Page{Limit: 10})
	if err != nil || len(found) != 1 || found[0].ID != generating.ID {
		t.Errorf("Campaigns = %v, %v", found, err)
	}
}

func TestUnfinishedJobsAreCountedUpToALimit(t *testing.T) {
	db := teststore.New(t)
	for range 3 {
		db.Queued()
	}
	_, lease := db.Running()
	db.Finished(fanfare.Outcome{Lease: lease, Status: fanfare.JobFailed})
	for limit, want := range map[int]int{2: 2, 10: 3} {
		if n, err := db.UnfinishedJobs(t.Context(), db.User.ID, limit); n != want || err != nil {
			t.Errorf("up to %d: %d, %v; want %d", limit, n, err, want)
		}
	}
}

// TestWhatIsNotYoursIsNotFound, and neither is what has no id at all.
func TestWhatIsNotYoursIsNotFound(t *testing.T) {
	db := teststore.New(t)
	job, campaign := db.Queued(), db.NewCampaign()
	key, err := db.CreateAPIKey(t.Context(), db.User.ID, "k", []byte("digest"))
	if err != nil {
		t.Fatal(err)
	}
	conversation, err := db.StartConversation(t.Context(), db.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	smtp := integration(t, db, "SMTP", fanfare.Email).ID
	stranger := db.NewUser().ID
	for _, test := range []struct {
		name, id string
		do       func(userID, id string) error
	}{
		{"Job", job.ID, func(u, id string) error { _, err := db.Job(t.Context(), u, id); return err }},
		{"Campaign", campaign.ID, func(u, id string) error { _, err := db.Campaign(t.Context(), u, id); return err }},
		{"CampaignForUpdate", campaign.ID, func(u, id string) error { _, err := db.CampaignForUpdate(t.Context(), u, id); return err }},
		{"UpdateCampaign", campaign.ID, func(u, id string) error {
			_, err := db.UpdateCampaign(t.Context(), fanfare.Campaign{ID: id, UserID: u, Audience: []byte(`{}`)})
			return err
		}},
		{"PutSchedule", campaign.ID, func(u, id string) error {
			_, err := db.PutSchedule(t.Context(), fanfare.Schedule{CampaignID: id, UserID: u, RunAt: new(time.Time), Misfire: fanfare.MisfireSkip}, occurrence(time.Hour))
			return err
		}},
		{"Schedule", campaign.ID, func(u, id string) error { _, err := db.Schedule(t.Context(), u, id); return err }},
		{"DeleteSchedule", campaign.ID, func(u, id string) error { _, err := db.DeleteSchedule(t.Context(), u, id); return err }},
		{"DeleteCampaign", campaign.ID, func(u, id string) error { return db.DeleteCampaign(t.Context(), u, id) }},
		{"History", conversation, func(u, id string) error { _, err := db.History(t.Context(), u, id); return err }},
		{"Voice", brandKit(t, db), func(u, id string) error { _, err := db.Voice(t.Context(), u, id); return err }},
		{"Integration", smtp, func(u, id string) error { _, err := db.Integration(t.Context(), u, id); return err }},
		{"SealedCredentials", smtp, func(u, id string) error { _, _, err := db.SealedCredentials(t.Context(), u, id); return err }},
		{"SetIntegrationStatus", smtp, func(u, id string) error {
			return db.SetIntegrationStatus(t.Context(), u, id, fanfare.IntegrationError, true)
		}},
		{"DeleteIntegration", smtp, func(u, id string) error { _, err := db.DeleteIntegration(t.Context(), u, id); return err }},
		{"DeleteAPIKey", key.ID, func(u, id string) error { return db.DeleteAPIKey(t.Context(), u, id) }},
	} {
		wantCode(t, test.name+" of somebody else", test.do(stranger, test.id), fanfare.CodeNotFound)
		wantCode(t, test.name+" of nothing", test.do(db.User.ID, store.NewID()), fanfare.CodeNotFound)
		wantCode(t, test.name+" of no id", test.do(db.User.ID, "no-id"), fanfare.CodeNotFound)
		wantCode(t, test.name+" of one's own", test.do(db.User.ID, test.id), "")
	}
}
