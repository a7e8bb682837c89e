package store_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/teststore"
)

func TestHistoryIsTheLatestTurnsInOrder(t *testing.T) {
	db := teststore.New(t)
	id, err := db.StartConversation(t.Context(), db.User.ID)
	if err != nil {
		t.Fatal(err)
	}
	var all []fanfare.Turn
	for i := range 60 {
		all = append(all, fanfare.Turn{Role: fanfare.MessageUser, Content: fmt.Sprint("turn “", i, "” 👋"), Quoted: i%2 == 0})
	}
	if err := db.AddTurns(t.Context(), id, all[:30]...); err != nil {
		t.Fatal(err)
	}
	if err := db.AddTurns(t.Context(), id, all[30:]...); err != nil {
		t.Fatal(err)
	}
	got, err := db.History(t.Context(), db.User.ID, id)
	if diff := cmp.Diff(all[10:], got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func brandKit(t *testing.T, db *teststore.DB) (id string) {
	t.Helper()
	err := db.SQL.QueryRowContext(t.Context(), `INSERT INTO brand_kits
		(user_id, name, primary_color, secondary_color, font_family, tone, "values", is_active)
		VALUES ($1, 'kit', '#000', '#fff', 'Inter', 'warm', 'honesty', false) RETURNING id`, db.User.ID).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestVoiceIsTheKitsThatIsAskedForOrActive(t *testing.T) {
	db := teststore.New(t)
	if voice, err := db.Voice(t.Context(), db.User.ID, ""); voice != nil || err != nil {
		t.Errorf("without a kit: %v, %v", voice, err)
	}
	asked, active := brandKit(t, db), brandKit(t, db)
	db.Exec(`UPDATE brand_kits SET tone = 'bold', is_active = true WHERE id = $1`, active)
	for id, want := range map[string]string{"": "bold", asked: "warm"} {
		voice, err := db.Voice(t.Context(), db.User.ID, id)
		if diff := cmp.Diff(&fanfare.Voice{Tone: want, Values: "honesty"}, voice); diff != "" || err != nil {
			t.Errorf("kit %q: %v (-want +got):\n%s", id, err, diff)
		}
	}
}

func TestUpdateCampaignStoresWhatMayBeEdited(t *testing.T) {
	db := teststore.New(t)
	campaign := db.NewCampaign()
	budget := fanfare.MoneyUnit / 4
	edited := campaign
	edited.Goal, edited.Budget, edited.Audience = "more “tea”", &budget, []byte(`{"age": 30}`)
	edited.Channels = []fanfare.Channel{fanfare.Email}
	edited.Content = fanfare.Content{SMS: &fanfare.SMSContent{Text: "hi"}}
	edited.Status = fanfare.CampaignLaunched // not for a person to edit
	stored, err := db.UpdateCampaign(t.Context(), edited)
	if err != nil {
		t.Fatal(err)
	}
	edited.Status, edited.UpdatedAt = campaign.Status, stored.UpdatedAt
	if diff := cmp.Diff(edited, stored); diff != "" || !stored.UpdatedAt.After(campaign.UpdatedAt) {
		t.Errorf("updated %s (-want +got):\n%s", stored.UpdatedAt, diff)
	}
}
