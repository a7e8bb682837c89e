package store_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
	"fanfare/store"
)

// listed makes a list of a campaign with n e-mail addresses and some numbers.
func listed(t *testing.T, db *teststore.DB, campaignID string, n int) (list string) {
	t.Helper()
	list, err := db.NewRecipientList(t.Context(), campaignID)
	if err != nil {
		t.Fatal(err)
	}
	recipients := []fanfare.Recipient{{Channel: fanfare.SMS, Address: "+4915123456789"}, {Channel: fanfare.SMS, Address: "+4915123456780"}}
	for i := range n {
		recipients = append(recipients, fanfare.Recipient{Channel: fanfare.Email, Address: fmt.Sprintf("r%d@example.com", i)})
	}
	counts, err := db.AddRecipients(t.Context(), list, recipients)
	if err != nil || counts != (fanfare.RecipientCounts{Email: n, SMS: 2}) {
		t.Fatalf("%+v, %v", counts, err)
	}
	return list
}

func TestAddRecipientsCountsEachOnce(t *testing.T) {
	db := teststore.New(t)
	list := listed(t, db, db.NewCampaign().ID, 3)
	twice := fanfare.Recipient{Channel: fanfare.Email, Address: "new@example.com"}
	for _, want := range []fanfare.RecipientCounts{{Email: 1}, {}} {
		counts, err := db.AddRecipients(t.Context(), list, []fanfare.Recipient{twice, {Channel: fanfare.SMS, Address: "+4915123456789"}, twice})
		if err != nil || counts != want {
			t.Errorf("%+v, %v, want %+v", counts, err, want)
		}
	}
	if counts, err := db.AddRecipients(t.Context(), list, nil); err != nil || counts.Total() != 0 {
		t.Errorf("none: %+v, %v", counts, err)
	}
}

func TestCopyRecipientsCopiesOneChannel(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign().ID
	const n = 10_000 + 20_001 // more than two steps
	from := listed(t, db, campaign, 10)
	db.Exec(`INSERT INTO recipients SELECT $1, 'email', 's' || i || '@example.com' FROM generate_series(11, $2) i`, from, n)
	to, err := db.NewRecipientList(t.Context(), campaign)
	if err != nil {
		t.Fatal(err)
	}
	if copied, err := db.CopyRecipients(t.Context(), from, to, fanfare.Email); err != nil || copied != n {
		t.Errorf("%d copied, %v, want %d", copied, err, n)
	}
	missing := db.Query(`SELECT count(*) FROM (SELECT channel, address FROM recipients WHERE list_id = $1 AND channel = 'email'
		EXCEPT SELECT channel, address FROM recipients WHERE list_id = $2) x`, from, to)
	there := db.Query(`SELECT DISTINCT channel FROM recipients WHERE list_id = $1`, to)
	if diff := cmp.Diff([]string{"0", "email"}, append(missing, there...)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUseRecipients(t *testing.T) {
	db := teststore.New(t)
	campaign, stranger := db.NewCampaign(), db.NewUser()
	db.Exec(`UPDATE campaigns SET audience = '{"age": 30}'`)
	list := listed(t, db, campaign.ID, 2)
	_, err := db.UseRecipients(t.Context(), stranger.ID, campaign.ID, list, fanfare.RecipientCounts{Email: 2})
	wantCode(t, "for a stranger", err, fanfare.CodeNotFound)
	for _, c := range []struct {
		list, want string
	}{{list, `{"age": 30, "recipients": {"sms": 2, "email": 1500000}}`}, {"", `{"age": 30}`}, {"", `{"age": 30}`}} {
		used, err := db.UseRecipients(t.Context(), db.User.ID, campaign.ID, c.list, fanfare.RecipientCounts{Email: 1_500_000, SMS: 2})
		if err != nil || string(used.Audience) != c.want || !used.UpdatedAt.After(campaign.UpdatedAt) {
			t.Errorf("%s, updated %s, %v, want %s", used.Audience, used.UpdatedAt, err, c.want)
		}
		if got, err := db.RecipientList(t.Context(), db.User.ID, campaign.ID); err != nil || got != c.list {
			t.Errorf("list %q, %v, want %q", got, err, c.list)
		}
	}
	_, err = db.RecipientList(t.Context(), stranger.ID, campaign.ID)
	wantCode(t, "for a stranger", err, fanfare.CodeNotFound)
}

// Lists are pruned that no campaign has, once nobody can be filling them.
func TestListsThatNobodyHasArePruned(t *testing.T) {
	db := teststore.New(t)
	names := map[string]string{}
	use := func(name string, old, used bool) {
		campaign := db.NewCampaign()
		list := listed(t, db, campaign.ID, 3)
		names[list] = name
		if old {
			db.Exec(`UPDATE recipient_lists SET created_at = now() - interval '61 minutes' WHERE id = $1`, list)
		}
		if used {
			if _, err := db.UseRecipients(t.Context(), db.User.ID, campaign.ID, list, fanfare.RecipientCounts{Email: 3, SMS: 2}); err != nil {
				t.Fatal(err)
			}
		}
		if name == "deleted" {
			if err := db.DeleteCampaign(t.Context(), db.User.ID, campaign.ID); err != nil {
				t.Fatal(err)
			}
		}
	}
	use("in use", true, true)
	use("being filled", false, false)
	use("abandoned", true, false)
	use("replaced", true, false)
	use("deleted", true, true)
	large := listed(t, db, store.NewID(), 0)
	names[large] = "large"
	db.Exec(`INSERT INTO recipients SELECT $1, 'email', 's' || i || '@example.com' FROM generate_series(1, 12000) i`, large)
	db.Exec(`UPDATE recipient_lists SET created_at = now() - interval '1 day' WHERE id = $1`, large)
	for range 2 {
		if err := db.Prune(t.Context()); err != nil {
			t.Fatal(err)
		}
		var left []string
		for _, row := range db.Query(`SELECT l.id || ' ' || count(address) FROM recipient_lists l LEFT JOIN recipients ON list_id = l.id GROUP BY l.id ORDER BY l.created_at`) {
			id, count, _ := strings.Cut(row, " ")
			left = append(left, names[id]+" "+count)
		}
		if diff := cmp.Diff([]string{"in use 5", "being filled 5"}, left); diff != "" {
			t.Errorf("left (-want +got):\n%s", diff)
		}
		if got := db.Query(`SELECT count(*) FROM recipients`); got[0] != "10" {
			t.Errorf("%s recipients are left, want 10", got[0])
		}
	}
}

func TestSuppressRecipient(t *testing.T) {
	db := teststore.New(t)
	other := db.NewUser()
	for _, want := range []bool{true, false} {
		added, err := db.SuppressRecipient(t.Context(), db.User.ID, fanfare.Email, "ada@example.com", fanfare.Unsubscribed)
		if err != nil || added != want {
			t.Errorf("%t, %v, want %t", added, err, want)
		}
	}
	for _, c := range []struct {
		user    string
		channel fanfare.Channel
		address string
		want    bool
	}{
		{db.User.ID, fanfare.Email, "ada@example.com", true},
		{db.User.ID, fanfare.Email, "bob@example.com", false},
		{db.User.ID, fanfare.SMS, "ada@example.com", false},
		{other.ID, fanfare.Email, "ada@example.com", false},
	} {
		if got, err := db.Suppressed(t.Context(), c.user, c.channel, c.address); err != nil || got != c.want {
			t.Errorf("%+v: %t, %v", c, got, err)
		}
	}
	if added, err := db.SuppressRecipient(t.Context(), store.NewID(), fanfare.Email, "ada@example.com", "x"); err != nil || added {
		t.Errorf("of nobody: %t, %v", added, err)
	}
}
