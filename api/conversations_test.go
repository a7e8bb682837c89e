package api_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/internal/apitest"
)

// converse starts a conversation with a brief and returns its id and its job's.
func converse(t *testing.T, client *apitest.Client, body string) (conversation, job string) {
	t.Helper()
	answer := client.Do(t, "POST /api/campaign", body).Want(t, http.StatusAccepted)
	return answer.Text("conversationId"), answer.Text("job.id")
}

func TestAConversationIsShown(t *testing.T) {
	a := apitest.New(t)
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	id, _ := converse(t, ada, `{"prompt": "Sell tea", "conversationHistory": [
		{"role": "user", "content": "We sell 3 < 5 \"teas\""}, {"role": "assistant", "content": "Quoted words"}]}`)
	line := "GET /api/conversations/" + id
	answer := ada.Do(t, line, nil).Want(t, http.StatusOK)
	same(t, "fields", answer.Keys(""), []string{"id", "messages", "metadata", "createdAt", "updatedAt"})
	same(t, "fields of a message", answer.Keys("messages.0"), []string{"id", "role", "content", "createdAt"})
	var got [][2]string
	for i := 0; answer.At(fmt.Sprintf("messages.%d", i)) != nil; i++ {
		at := fmt.Sprintf("messages.%d.", i)
		got = append(got, [2]string{answer.Text(at + "role"), answer.Text(at + "content")})
		if !strings.HasSuffix(answer.Text(at+"createdAt"), "Z") || len(answer.Text(at+"id")) != 36 {
			t.Errorf("message %d has not the form of ids and times: %s", i, answer.Body)
		}
	}
	want := [][2]string{{"user", `We sell 3 < 5 "teas"`}, {"assistant", "Quoted words"}, {"user", "Sell tea"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	if answer.Text("id") != id || len(answer.Keys("metadata")) != 0 || !strings.Contains(answer.Body, `"metadata":{}`) {
		t.Errorf("%s", answer.Body)
	}
	for _, method := range []string{"GET", "DELETE"} {
		bob.Do(t, method+" /api/conversations/"+id, nil).WantError(t, http.StatusNotFound, "not_found")
		ada.Do(t, method+" /api/conversations/01a204f5-ed6d-77fe-bfbc-ed33a961c0ee", nil).WantError(t, http.StatusNotFound, "not_found")
		ada.Do(t, method+" /api/conversations/1", nil).WantError(t, http.StatusNotFound, "not_found")
	}
	ada.Do(t, line, nil).Want(t, http.StatusOK)
}

// A conversation without end makes no answer without end: its latest 200
// messages are shown.
func TestALongConversationIsCut(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, _ := converse(t, ada, `{"prompt": "first"}`)
	a.Exec(t, `INSERT INTO conversation_messages (conversation_id, role, content) SELECT $1, 'user', n::text FROM generate_series(1, 200) n`, id)
	answer := ada.Do(t, "GET /api/conversations/"+id, nil).Want(t, http.StatusOK)
	if answer.Text("messages.0.content") != "1" || answer.Text("messages.199.content") != "200" || answer.At("messages.200") != nil {
		t.Errorf("first %v, last %v, want the latest 200 in their order", answer.At("messages.0"), answer.At("messages.199"))
	}
}

func TestConversationsAreListed(t *testing.T) {
	a := apitest.New(t)
	ada, bob := a.User(t, "ada@example.com"), a.User(t, "bob@example.com")
	var ids []string
	for range 5 {
		id, _ := converse(t, ada, `{"prompt": "Sell tea"}`)
		ids = append([]string{id}, ids...)
	}
	converse(t, bob, `{"prompt": "Sell tea"}`)
	a.Exec(t, `UPDATE conversations SET updated_at = '2026-01-01'`) // the same instant, to be told apart by id
	if diff := cmp.Diff([][]string{ids[:2], ids[2:4], ids[4:]}, pages(t, ada, "/api/conversations?limit=2")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	converse(t, ada, `{"prompt": "More", "conversationId": "`+ids[3]+`"}`)
	want := []string{ids[3], ids[0], ids[1], ids[2], ids[4]}
	answer := ada.Do(t, "GET /api/conversations", nil).Want(t, http.StatusOK)
	if diff := cmp.Diff([][]string{want}, pages(t, ada, "/api/conversations")); diff != "" {
		t.Errorf("the one that was last added to is not first (-want +got):\n%s", diff)
	}
	if answer.Text("0.messages.1.content") != "More" {
		t.Errorf("%s", answer.Body)
	}
	ada.Do(t, "GET /api/conversations?limit=0", nil).WantError(t, http.StatusBadRequest, "invalid_request")
	ada.Do(t, "GET /api/conversations?cursor=x", nil).WantError(t, http.StatusBadRequest, "invalid_request")
}

// A job outlives the conversation that it would have answered in.
func TestDeletingAConversation(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, job := converse(t, ada, `{"prompt": "Sell tea"}`)
	claimed := a.Claim(t, job)
	ada.Do(t, "DELETE /api/conversations/"+strings.ToUpper(id), nil).Want(t, http.StatusNoContent)
	for _, method := range []string{"GET", "DELETE"} {
		ada.Do(t, method+" /api/conversations/"+id, nil).WantError(t, http.StatusNotFound, "not_found")
	}
	ada.Do(t, "POST /api/campaign", `{"prompt": "More", "conversationId": "`+id+`"}`).WantError(t, http.StatusNotFound, "not_found")
	if n := a.Count(t, `SELECT count(*) FROM conversation_messages`); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	finished, err := a.Store.Finish(t.Context(), []fanfare.Outcome{{
		Lease: claimed.Lease, Status: fanfare.JobSucceeded, Result: []byte(`{}`), Reply: &fanfare.Reply{ConversationID: id, Content: "Tea!"},
	}})
	if err != nil || len(finished) != 1 || finished[0].Status != fanfare.JobSucceeded {
		t.Errorf("ending its job: %+v, %v", finished, err)
	}
	audits := a.Audits(t)
	if last := audits[len(audits)-1]; last.Action != "conversation.delete" || last.Resource != id || last.UserID != ada.UserID {
		t.Errorf("audited as %+v", last)
	}
	if n := a.Count(t, `SELECT count(*) FROM audit_logs WHERE action = 'conversation.delete'`); n != 1 {
		t.Errorf("%d records of one deletion", n)
	}
}
