package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/api"
	"fanfare/internal/apitest"
	"fanfare/internal/await"
)

const asCSV = "Content-Type: text/csv"

// ready submits a brief and ends its job, and returns the campaign's id.
func ready(t *testing.T, a *apitest.App, client *apitest.Client) string {
	t.Helper()
	job, campaign := submit(t, client)
	a.End(t, job, fanfare.JobSucceeded)
	return campaign
}

// addressed is ready, with recipients: email,old@example.com and sms,+4915100000000.
func addressed(t *testing.T, a *apitest.App, client *apitest.Client) (id, line string) {
	t.Helper()
	id = ready(t, a, client)
	line = "PUT /api/campaign/" + id + "/recipients"
	client.With(asCSV).Do(t, line, "email,old@example.com\nsms,+4915100000000\n").Want(t, http.StatusOK)
	return id, line
}

// recipients are those that a campaign has, in order.
func recipients(t *testing.T, a *apitest.App, campaign string) string {
	t.Helper()
	return a.Text(t, `SELECT coalesce(string_agg(channel || ',' || address, ' ' ORDER BY channel, address), '')
		FROM recipients JOIN campaigns ON recipient_list = list_id WHERE id = $1`, campaign)
}

func TestRecipientsAreReplaced(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, line := addressed(t, a, ada)
	for _, c := range []struct {
		name, file string
		want       string // the recipients
		invalid    string // line: reason
	}{
		{"plain", "email,ada@example.com\nsms,+4915123456789\n", "email,ada@example.com sms,+4915123456789", ""},
		{"a header", "channel,address\nemail,ada@example.com\n", "email,ada@example.com", ""},
		{"a header in capitals after a BOM, with CRLF", "\ufeffChannel,ADDRESS\r\nEmail,ada@example.com\r\nSMS,+49 151 2345-6789\r\n", "email,ada@example.com sms,+4915123456789", ""},
		{"a BOM, and no end of the last line", "\ufeffemail,ada@example.com", "email,ada@example.com", ""},
		{"quotes", "\"channel\",\"address\"\r\n\"email\",\"ada@example.com\"\r\nemail, \"bob@example.com\"\n", "email,ada@example.com email,bob@example.com", ""},
		{"empty lines and columns of a spreadsheet", "\n channel , address ,,\n,,\nemail,ada@example.com,,\n \t\n", "email,ada@example.com", ""},
		{"duplicates", "email,ada@example.com\nemail,ADA@example.com\nemail, ada@Example.com \nsms,+4915123456789\nsms,004915123456789\n", "email,ada@example.com sms,+4915123456789", ""},
		{"some invalid", "channel,address\nemail,ada\nemail,ada@example.com\n\nsocial,@ada\nppc,x\nsms,0151\nfax,1\n", "email,ada@example.com",
			"2: the address must be an e-mail address such as ada@example.com; 5: the channel must be email or sms; 6: the channel must be email or sms; " +
				"7: the address must be a phone number with its country code, such as +4915123456789; 8: the channel must be email or sms"},
		{"a header further down", "email,ada@example.com\nchannel,address\n", "email,ada@example.com", "2: the channel must be email or sms"},
		{"columns", "email\nemail;ada@example.com\nemail,ada@example.com,Ada\nemail,bob@example.com\n", "email,bob@example.com",
			strings.Join([]string{"1", "2", "3"}, ": the line must have two columns, channel and address, with a comma between them; ") +
				": the line must have two columns, channel and address, with a comma between them"},
		{"a quote that is never closed", "email,\"ada@example.com\nemail,bob@example.com\nemail,e\"ve@example.com\n", "email,bob@example.com",
			"1: the line has quotes that do not belong together; 3: the line has quotes that do not belong together"},
		{"a line break in quotes", "email,\"ada@exam\nple.com\"\nemail,bob@example.com\n", "email,bob@example.com",
			"1: the line has quotes that do not belong together; 2: the line has quotes that do not belong together"},
		{"long lines", "email," + strings.Repeat("a", 2000) + "\nemail," + strings.Repeat("b", 200_000) + "\nemail,ada@example.com\n", "email,ada@example.com",
			"1: the line is too long; 2: the line is too long"},
		{"no text", "email,ad\xff@example.com\nemail,a\x00da@example.com\nemail,ada@example.com\n", "email,ada@example.com",
			"1: the line must be text in UTF-8; 2: the address must be an e-mail address such as ada@example.com"},
	} {
		t.Run(c.name, func(t *testing.T) {
			answer := ada.With(asCSV).Do(t, line, c.file).Want(t, http.StatusOK)
			same(t, "fields", answer.Keys(""), []string{"email", "sms", "invalid", "invalidTotal"})
			if diff := cmp.Diff(c.want, recipients(t, a, id)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			emails, numbers := float64(strings.Count(c.want, "email,")), float64(strings.Count(c.want, "sms,"))
			if answer.At("email") != emails || answer.At("sms") != numbers {
				t.Errorf("%s, want %v and %v", answer.Body, emails, numbers)
			}
			var invalid []string
			for i := 0; answer.At(fmt.Sprintf("invalid.%d", i)) != nil; i++ {
				invalid = append(invalid, fmt.Sprintf("%v: %s", answer.At(fmt.Sprintf("invalid.%d.line", i)), answer.Text(fmt.Sprintf("invalid.%d.reason", i))))
			}
			if diff := cmp.Diff(c.invalid, strings.Join(invalid, "; ")); diff != "" || answer.At("invalidTotal") != float64(len(invalid)) {
				t.Errorf("invalid, %v in all (-want +got):\n%s", answer.At("invalidTotal"), diff)
			}
			campaign := ada.Do(t, "GET /api/campaign/"+id, nil).Want(t, http.StatusOK)
			if campaign.At("audience.recipients.email") != emails || campaign.At("audience.recipients.sms") != numbers {
				t.Errorf("the campaign shows %v", campaign.At("audience"))
			}
		})
	}
	if n := a.Count(t, `SELECT count(*) FROM audit_logs WHERE action = 'recipients.replace' AND resource = $1 AND user_id = $2
		AND metadata = '{"email": 1, "sms": 0}'`, id, ada.UserID); n == 0 {
		t.Error("no audit record with the counts")
	}
	if n := a.Count(t, `SELECT count(*) FROM audit_logs WHERE metadata::text LIKE '%@%' OR metadata::text LIKE '%+49%'`); n != 0 {
		t.Errorf("%d audit records tell of recipients", n)
	}
	if log := a.Log.String(); strings.Contains(log, "@example.com") || strings.Contains(log, "+49") {
		t.Error("the log tells of recipients")
	}
}

// Only the recipients change, and every view of the campaign counts them.
func TestRecipientsAreCounted(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, line := addressed(t, a, ada)
	ada.Do(t, "PATCH /api/campaign/"+id, `{"audience": {"age": "18-30"}}`).Want(t, http.StatusOK)
	before := ada.Do(t, "GET /api/campaign/"+id, nil).Want(t, http.StatusOK)
	ada.With(asCSV).Do(t, line, "email,ada@example.com\nemail,bob@example.com\n").Want(t, http.StatusOK)
	after := ada.Do(t, "GET /api/campaign/"+id, nil).Want(t, http.StatusOK)
	for _, answer := range []*apitest.Answer{after, ada.Do(t, "GET /api/campaign", nil).Want(t, http.StatusOK)} {
		if !strings.Contains(answer.Body, `{"age":"18-30","recipients":{"sms":0,"email":2}}`) && !strings.Contains(answer.Body, `{"age": "18-30", "recipients": {"sms": 0, "email": 2}}`) {
			t.Errorf("%s", answer.Body)
		}
		if strings.Contains(answer.Body, "bob@") {
			t.Errorf("%s shows an address", answer.Body)
		}
	}
	if after.Text("updatedAt") <= before.Text("updatedAt") || after.Text("goal") != before.Text("goal") {
		t.Errorf("before %s, after %s", before.Body, after.Body)
	}
}

func TestRecipientsAreKeptFromBadFiles(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, line := addressed(t, a, ada)
	large := func() io.Reader { return &endless{left: 128 << 20} }
	run(t, ada.With(asCSV), []scenario{
		{name: "empty", line: line, body: "", status: 400, code: "invalid_request", want: "to remove all recipients, PATCH"},
		{name: "a header only", line: line, body: "channel,address\n", status: 400, code: "invalid_request", want: `"field":"body"`},
		{name: "nothing valid", line: line, body: "ada@example.org\nsocial,x\n", status: 400, code: "invalid_request", want: `{"field":"line 2","message":"the channel must be email or sms"}`},
		{name: "very much that is not valid", line: line, body: strings.Repeat("x\n", 100_000), status: 400, code: "invalid_request", want: `"line 20"`},
		{name: "UTF-16", line: line, body: "\xff\xfee\x00m\x00a\x00i\x00l\x00,\x00", status: 400, code: "invalid_request", want: "must be text in UTF-8"},
		{name: "too large, without a length", line: line, body: large(), status: 413, code: "too_large"},
		{name: "JSON", line: line, body: `{"email": ["ada@example.org"]}`, headers: []string{"Content-Type: application/json"}, status: 415, code: "unsupported_media_type"},
		{name: "no type", line: line, body: "email,ada@example.org", headers: []string{"Content-Type: "}, status: 415, code: "unsupported_media_type"},
		{name: "another charset", line: line, body: "email,ada@example.org", headers: []string{"Content-Type: text/csv; charset=iso-8859-1"}, status: 415, code: "unsupported_media_type"},
		{name: "compressed", line: line, body: "\x1f\x8b", headers: []string{"Content-Encoding: gzip"}, status: 415, code: "unsupported_media_type"},
		{name: "unknown campaign", line: "PUT /api/campaign/01a204f5-ed6d-77fe-bfbc-ed33a961c0ee/recipients", body: "email,ada@example.org", status: 404, code: "not_found"},
		{name: "no id", line: "PUT /api/campaign/1/recipients", body: "email,ada@example.org", status: 404, code: "not_found"},
	})
	for _, status := range []string{"generating", "launching"} {
		a.Exec(t, `UPDATE campaigns SET status = $1`, status)
		ada.With(asCSV).Do(t, line, "email,ada@example.org").WantError(t, http.StatusConflict, "campaign_busy")
	}
	a.Exec(t, `UPDATE campaigns SET status = 'ready'`)
	if got := recipients(t, a, id); got != "email,old@example.com sms,+4915100000000" {
		t.Errorf("afterwards: %s", got)
	}
	ada.With("Content-Type: text/csv; charset=UTF-8; header=present").Do(t, line, "email,ada@example.org").Want(t, http.StatusOK)
}

// At most a thousand invalid lines are listed, and all are counted.
func TestInvalidLinesAreNotAllListed(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	_, line := addressed(t, a, ada)
	answer := ada.With(asCSV).Do(t, line, strings.Repeat("email,x\n", 1500)+"email,ada@example.com\n").Want(t, http.StatusOK)
	if answer.At("invalidTotal") != 1500.0 || answer.At("invalid.999.line") != 1000.0 || answer.At("invalid.1000") != nil || answer.At("email") != 1.0 {
		t.Errorf("%v in all, the last %v", answer.At("invalidTotal"), answer.At("invalid.999"))
	}
}

// halfway is a body that ends with what it is told, after more than a batch of
// rows, once somebody has been let in.
type halfway struct {
	rows   io.Reader
	inside func()
	end    error
}

func (h *halfway) Read(p []byte) (int, error) {
	n, err := h.rows.Read(p)
	if err == nil {
		return n, nil
	}
	h.inside()
	return n, h.end
}

func manyRows(n int) string {
	var rows strings.Builder
	for i := range n {
		fmt.Fprintf(&rows, "email,r%d@example.com\n", i)
	}
	return rows.String()
}

// A client that hangs up half-way has changed nothing.
func TestHalfAFileChangesNothing(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, _ := addressed(t, a, ada)
	staged := func() bool { return a.Count(t, `SELECT count(*) FROM recipients`) > 2 }
	body := &halfway{rows: strings.NewReader(manyRows(30_000)), end: errors.New("the client hangs up"), inside: func() {
		await.True(t, "a part of the file is stored", staged)
	}}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, a.URL+"/api/campaign/"+id+"/recipients", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Content-Type", "text/csv")
	request.Header.Set("Authorization", ada.Header["Authorization"])
	if response, err := http.DefaultTransport.RoundTrip(request); err == nil {
		_ = response.Body.Close()
		t.Errorf("an answer: %s", response.Status)
	}
	await.True(t, "the upload has ended", func() bool {
		return strings.Contains(a.Log.String(), `"method":"PUT","route":"/api/campaign/:id/recipients","status":400`)
	})
	if got := recipients(t, a, id); got != "email,old@example.com sms,+4915100000000" {
		t.Errorf("afterwards: %.100s", got)
	}
}

// What begins while a file comes in works with the list that it knows.
func TestALaunchDuringAnUpload(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, line := addressed(t, a, ada)
	body := &halfway{rows: strings.NewReader(manyRows(10)), end: io.EOF, inside: func() {
		await.True(t, "the upload has begun", func() bool { return a.Count(t, `SELECT count(*) FROM recipient_lists`) == 2 })
		a.Exec(t, `UPDATE campaigns SET status = 'launching'`)
	}}
	ada.With(asCSV).Do(t, line, body).WantError(t, http.StatusConflict, "campaign_busy")
	if got := recipients(t, a, id); got != "email,old@example.com sms,+4915100000000" {
		t.Errorf("afterwards: %s", got)
	}
	body.rows, body.inside = strings.NewReader(manyRows(10)), func() { a.Exec(t, `DELETE FROM campaigns`) }
	a.Exec(t, `UPDATE campaigns SET status = 'ready'`)
	ada.With(asCSV).Do(t, line, body).WantError(t, http.StatusNotFound, "not_found")
}

// watching is a store that knows how long the longest batch was, and looks at
// the heap.
type watching struct {
	api.Store
	most   *int
	before uint64
	heap   *uint64
}

func (c watching) AddRecipients(ctx context.Context, list string, batch []fanfare.Recipient) (fanfare.RecipientCounts, error) {
	*c.most = max(*c.most, len(batch))
	var now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&now)
	if now.HeapAlloc > c.before {
		*c.heap = max(*c.heap, now.HeapAlloc-c.before)
	}
	return c.Store.AddRecipients(ctx, list, batch)
}

// A large file takes little memory: rows go on to the database as they come.
func TestLargeFilesTakeLittleMemory(t *testing.T) {
	const size = 10 << 20
	var most int
	var heap uint64
	file := new(bytes.Buffer)
	rows := 0
	for ; file.Len() < size; rows++ {
		fmt.Fprintf(file, "email,recipient.%07d@a-domain-of-some-length.example.com\n", rows)
	}
	a := apitest.New(t, func(s *apitest.Setup) {
		s.Wrap = func(d *api.Deps) {
			var before runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			d.Store = watching{d.Store, &most, before.HeapAlloc, &heap}
		}
	})
	ada := a.User(t, "ada@example.com")
	id, line := addressed(t, a, ada)
	answer := ada.With(asCSV).Do(t, line, file).Want(t, http.StatusOK)
	if answer.At("email") != float64(rows) || answer.At("invalidTotal") != 0.0 {
		t.Errorf("%s, want %d", answer.Body, rows)
	}
	if n := a.Count(t, `SELECT count(*) FROM recipients JOIN campaigns ON recipient_list = list_id WHERE id = $1`, id); n != rows {
		t.Errorf("%d recipients, want %d", n, rows)
	}
	if most > 5000 || heap > 8<<20 {
		t.Errorf("%d rows at once, %d KiB more on the heap", most, heap>>10)
	}
}

func TestPatchedRecipients(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	for _, c := range []struct {
		name, patch string
		want        string // the recipients
		audience    string // as the campaign shows it
	}{
		{"a list replaces its channel's", `{"recipients": {"email": ["Ada@example.com", "ada@example.com", "bob@example.com"]}}`,
			"email,ada@example.com email,bob@example.com sms,+4915100000000", `{"age":"18","recipients":{"email":2,"sms":1}}`},
		{"both lists", `{"recipients": {"email": ["ada@example.com"], "sms": ["0049 151 2345-6789"]}}`,
			"email,ada@example.com sms,+4915123456789", `{"age":"18","recipients":{"email":1,"sms":1}}`},
		{"an echo", `{"age": "18", "recipients": {"email": 1, "sms": 1}}`, "email,old@example.com sms,+4915100000000", `{"age":"18","recipients":{"email":1,"sms":1}}`},
		{"an echo and a list", `{"recipients": {"email": 1, "sms": []}}`, "email,old@example.com", `{"age":"18","recipients":{"email":1,"sms":0}}`},
		{"a channel taken away", `{"recipients": {"email": null}}`, "sms,+4915100000000", `{"age":"18","recipients":{"email":0,"sms":1}}`},
		{"all lists empty", `{"recipients": {"email": [], "sms": []}}`, "", `{"age":"18"}`},
		{"all taken away", `{"recipients": null}`, "", `{"age":"18"}`},
		{"no audience", `null`, "", `{}`},
		{"something else", `{"age": "30"}`, "email,old@example.com sms,+4915100000000", `{"age":"30","recipients":{"email":1,"sms":1}}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			id, _ := addressed(t, a, ada)
			a.Exec(t, `UPDATE campaigns SET audience = audience || '{"age": "18"}' WHERE id = $1`, id)
			answer := ada.Do(t, "PATCH /api/campaign/"+id, `{"audience": `+c.patch+`}`).Want(t, http.StatusOK)
			if diff := cmp.Diff(c.want, recipients(t, a, id)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			var want any
			if err := json.Unmarshal([]byte(c.audience), &want); err != nil {
				t.Fatal(err)
			}
			for _, answer := range []*apitest.Answer{answer, ada.Do(t, "GET /api/campaign/"+id, nil).Want(t, http.StatusOK)} {
				if diff := cmp.Diff(want, answer.At("audience")); diff != "" {
					t.Errorf("audience (-want +got):\n%s", diff)
				}
			}
			if strings.Contains(a.Text(t, `SELECT audience FROM campaigns WHERE id = $1`, id), "@") {
				t.Error("addresses lie in the audience")
			}
			replaced := a.Count(t, `SELECT count(*) FROM audit_logs WHERE action = 'recipients.replace' AND resource = $1`, id)
			if changed := c.want != "email,old@example.com sms,+4915100000000"; changed != (replaced == 2) {
				t.Errorf("%d audit records of replaced recipients", replaced)
			}
		})
	}
}

func TestPatchRefusesRecipients(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id, _ := addressed(t, a, ada)
	var scenarios []scenario
	for patch, field := range map[string]string{
		`5`: "audience.recipients", `["ada@example.com"]`: "audience.recipients", `"ada@example.com"`: "audience.recipients",
		`{"email": 2}`: "audience.recipients.email", `{"email": -1}`: "audience.recipients.email", `{"sms": true}`: "audience.recipients.sms",
		`{"email": "ada@example.com"}`: "audience.recipients.email", `{"email": {"a": "b"}}`: "audience.recipients.email",
		`{"social": ["@ada"]}`: "audience.recipients.social", `{"fax": 0}`: "audience.recipients.fax",
		`{"email": ["a@example.com", "b@example.com", "c@example.com", "eve"]}`: "audience.recipients.email[3]",
		`{"email": [["a@example.com"]]}`:                                        "audience.recipients.email[0]", `{"sms": [null]}`: "audience.recipients.sms[0]",
		`{"sms": [4915123456789]}`: "audience.recipients.sms[0]", `{"email": ["a@example.com\r\nbcc: b@example.com"]}`: "audience.recipients.email[0]",
	} {
		scenarios = append(scenarios, scenario{name: patch, line: "PATCH /api/campaign/" + id, body: `{"goal": "changed", "audience": {"recipients": ` + patch + `}}`,
			status: 400, code: "invalid_request", want: `"field":"` + field + `"`})
	}
	run(t, ada, scenarios)
	if got := recipients(t, a, id); got != "email,old@example.com sms,+4915100000000" || a.Count(t, `SELECT count(*) FROM campaigns WHERE goal = 'changed'`) > 0 {
		t.Errorf("afterwards: %s", got)
	}
	if strings.Contains(a.Log.String(), "@example.com") {
		t.Error("the log tells of recipients")
	}
}

// meddling is a store in which somebody changes the campaign once a list is
// made for it.
type meddling struct {
	api.Store
	meddle func()
}

func (m meddling) CampaignForUpdate(ctx context.Context, userID, id string) (fanfare.Campaign, error) {
	m.meddle()
	return m.Store.CampaignForUpdate(ctx, userID, id)
}

// Of two who change the recipients at once, the one who was late is told.
func TestPatchedRecipientsAreNotMixed(t *testing.T) {
	meddle := func() {}
	a := apitest.New(t, func(s *apitest.Setup) {
		s.Wrap = func(d *api.Deps) { d.Store = meddling{d.Store, func() { meddle() }} }
	})
	ada := a.User(t, "ada@example.com")
	id, _ := addressed(t, a, ada)
	line := "PATCH /api/campaign/" + id
	meddle = func() {
		list, err := a.Store.NewRecipientList(t.Context(), id)
		if err == nil {
			_, err = a.Store.UseRecipients(t.Context(), ada.UserID, id, list, fanfare.RecipientCounts{Email: 1, SMS: 1})
		}
		if err != nil {
			t.Error(err)
		}
	}
	ada.Do(t, line, `{"goal": "changed", "audience": {"recipients": {"email": ["ada@example.com"]}}}`).WantError(t, http.StatusConflict, "campaign_busy")
	if n := a.Count(t, `SELECT count(*) FROM campaigns WHERE goal = 'changed'`); n != 0 {
		t.Error("half of the edit was made")
	}
	ada.Do(t, line, `{"goal": "changed"}`).Want(t, http.StatusOK)
}

// A list may be as long as a body, whatever an audience may have otherwise.
func TestALongPatchedList(t *testing.T) {
	a := apitest.New(t)
	ada := a.User(t, "ada@example.com")
	id := ready(t, a, ada) // without recipients so far
	list := make([]string, 12_000)
	for i := range list {
		list[i] = fmt.Sprintf("r%d@example.com", i)
	}
	patch := map[string]any{"audience": map[string]any{"recipients": map[string]any{"email": list}}}
	answer := ada.Do(t, "PATCH /api/campaign/"+id, patch).Want(t, http.StatusOK)
	if answer.At("audience.recipients.email") != 12_000.0 || a.Count(t, `SELECT count(*) FROM recipients`) != 12_000 {
		t.Errorf("the campaign shows %v", answer.At("audience"))
	}
}
