package mailchimp

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"

	"fanfare"
	"fanfare/channel/email"
	"fanfare/channel/rest"
)

// campaign is a campaign at Mailchimp.
type campaign struct {
	ID       string   `json:"id"`
	Status   string   `json:"status"`
	Settings settings `json:"settings"`
}

type settings struct {
	Title    string `json:"title"`
	Subject  string `json:"subject_line,omitempty"`
	FromName string `json:"from_name,omitempty"`
	ReplyTo  string `json:"reply_to,omitempty"`
}

// taken says that Mailchimp sends the campaign, or has sent it.
func (c campaign) taken() bool {
	return c.Status == "schedule" || c.Status == "sending" || c.Status == "sent"
}

// draft says that nothing was sent of the campaign. Any other status, such as
// paused or canceled, leaves that open.
func (c campaign) draft() bool { return c.Status == "save" }

// newest is how many campaigns a page can have at most.
const newest = "1000"

// named returns the campaigns with that title among the newest, the oldest
// first. Mailchimp can't be asked for a title.
func (c *connection) named(ctx context.Context, title string) ([]campaign, error) {
	query := url.Values{
		"list_id": {c.list}, "count": {newest}, "sort_field": {"create_time"}, "sort_dir": {"DESC"},
		"fields": {"campaigns.id,campaigns.status,campaigns.settings.title"},
	}
	var page struct{ Campaigns []campaign }
	err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: "/campaigns?" + query.Encode(), Answer: &page})
	var found []campaign
	for _, candidate := range page.Campaigns {
		if candidate.Settings.Title == title && candidate.ID != "" {
			found = append([]campaign{candidate}, found...)
		}
	}
	return found, err
}

// status reads a campaign again.
func (c *connection) status(ctx context.Context, id string) (campaign, error) {
	var now campaign
	err := c.api.Do(ctx, rest.Call{Method: http.MethodGet, Path: path(id) + "?fields=id,status", Answer: &now})
	return now, err
}

func path(id string) string { return "/campaigns/" + url.PathEscape(id) }

func (c *connection) create(title string, letter email.Letter) rest.Call {
	return rest.Call{Method: http.MethodPost, Path: "/campaigns", Body: map[string]any{
		"type":       "regular",
		"recipients": map[string]string{"list_id": c.list},
		"settings":   settings{Title: title, Subject: letter.Subject, FromName: c.fromName(), ReplyTo: c.from.Address},
	}}
}

func (c *connection) fromName() string {
	if c.from.Name != "" {
		return c.from.Name
	}
	return c.from.Address[strings.LastIndexByte(c.from.Address, '@')+1:]
}

func setContent(id string, letter email.Letter) rest.Call {
	return rest.Call{
		Method: http.MethodPut, Path: path(id) + "/content",
		Body: map[string]string{"html": letter.HTML, "plain_text": letter.Text},
	}
}

func checklist(id string) rest.Call {
	return rest.Call{Method: http.MethodGet, Path: path(id) + "/send-checklist"}
}

func send(id string) rest.Call {
	return rest.Call{Method: http.MethodPost, Path: path(id) + "/actions/send", Commits: true}
}

func sendTest(id, to string) rest.Call {
	return rest.Call{
		Method: http.MethodPost, Path: path(id) + "/actions/test", Commits: true,
		Body: map[string]any{"test_emails": []string{to}, "send_type": "html"},
	}
}

// ready asks whether the campaign may be sent.
func (c *connection) ready(ctx context.Context, id string) error {
	var list struct {
		IsReady bool `json:"is_ready"`
		Items   []struct{ Type, Heading, Details string }
	}
	call := checklist(id)
	call.Answer = &list
	if err := c.api.Do(ctx, call); err != nil || list.IsReady {
		return err
	}
	var missing []string
	for _, item := range list.Items {
		if item.Type == "error" {
			missing = append(missing, strings.TrimSpace(item.Heading+" "+item.Details))
		}
	}
	return &fanfare.SendError{
		Fate: fanfare.FateRefused, Reason: c.clean.Clean("Mailchimp says that the campaign is not ready: " + strings.Join(missing, "; ")),
	}
}

// explain reads Mailchimp's problem documents.
func explain(body []byte) string {
	var problem struct {
		Title, Detail string
		Errors        []struct{ Field, Message string }
	}
	if json.Unmarshal(body, &problem) != nil {
		return ""
	}
	said := strings.TrimSpace(problem.Title + " " + problem.Detail)
	for _, e := range problem.Errors {
		said += " " + strings.TrimSpace(e.Field+" "+e.Message)
	}
	return said
}
