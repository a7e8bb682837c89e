package demomodel_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/ai"
	"fanfare/internal/demomodel"
)

// newWriter asks a stand-in that counts its requests.
func newWriter(t *testing.T) (*ai.Writer, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	model := demomodel.New()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		model.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return ai.New(ai.Config{BaseURL: server.URL + "/v1", Model: demomodel.Name, Demo: true}), &asked
}

func TestIntentComesFromTheBrief(t *testing.T) {
	writer, _ := newWriter(t)
	all := fanfare.Channels()
	for _, test := range []struct {
		brief    string
		channels []fanfare.Channel
		budget   string
		schedule string
	}{
		{"Promote our vegan sneakers by e-mail and SMS, budget $500, next week", []fanfare.Channel{fanfare.Email, fanfare.SMS}, "500", "next week"},
		{"Spend 5,000 EUR on Google Ads for our bakery", []fanfare.Channel{fanfare.PPC}, "5000", ""},
		{"Instagram posts for the summer sale on Friday at 9am", []fanfare.Channel{fanfare.Social}, "", "on Friday at 9am"},
		{"Sneakers for only $29, tell everyone", all, "", ""},
		{"Das Budget beträgt 1.5k€ für unsere Bäckerei", all, "1500", ""},
		{"夏季促销全场八折", all, "", ""},
	} {
		intent, _, err := writer.ReadBrief(t.Context(), fanfare.Brief{Text: test.brief})
		if err != nil {
			t.Fatalf("%q: %v", test.brief, err)
		}
		budget := ""
		if intent.Budget != nil {
			budget = intent.Budget.String()
		}
		got := []any{intent.Channels, budget, intent.Schedule}
		if diff := cmp.Diff([]any{test.channels, test.budget, test.schedule}, got); diff != "" {
			t.Errorf("%q: intent differs (-want +got):\n%s", test.brief, diff)
		}
	}
}

func TestContentIsAboutTheBrief(t *testing.T) {
	writer, _ := newWriter(t)
	brief := fanfare.Brief{Text: "Launch our vegan sneakers for students. 20% off until Sunday. Budget $500, by e-mail and SMS."}
	intent, usage, err := writer.ReadBrief(t.Context(), brief)
	if err != nil {
		t.Fatal(err)
	}
	if usage.Model != "demo" || usage.InputTokens == 0 || usage.OutputTokens == 0 {
		t.Errorf("usage %+v, want the words of the demo model", usage)
	}
	for _, channel := range fanfare.Channels() {
		content, _, err := writer.WriteContent(t.Context(), channel, brief, intent, nil)
		if err != nil {
			t.Fatalf("%s: %v", channel, err)
		}
		text, err := json.Marshal(content)
		if err != nil {
			t.Fatal(err)
		}
		lower := strings.ToLower(string(text))
		if !strings.Contains(lower, "sneakers") || !strings.Contains(lower, "20% off") {
			t.Errorf("%s does not speak of the brief's product and offer: %s", channel, text)
		}
		if strings.Contains(lower, "500") {
			t.Errorf("%s tells customers the budget: %s", channel, text)
		}
	}
}

// TestAnyBriefNeedsOneAsk holds the stand-in to ai's own checks: what breaks a
// rule would be asked for again.
func TestAnyBriefNeedsOneAsk(t *testing.T) {
	writer, asked := newWriter(t)
	briefs := extremeBriefs()
	random := rand.New(rand.NewPCG(1, 2))
	for range 25 {
		briefs = append(briefs, randomBrief(random))
	}
	for _, text := range briefs {
		before := asked.Load()
		brief := fanfare.Brief{Text: text}
		intent, _, err := writer.ReadBrief(t.Context(), brief)
		if err != nil {
			t.Fatalf("reading %q: %v", text, err)
		}
		for _, channel := range fanfare.Channels() {
			if _, _, err := writer.WriteContent(t.Context(), channel, brief, intent, nil); err != nil {
				t.Fatalf("%s for %q: %v", channel, text, err)
			}
		}
		if n := asked.Load() - before; n != 5 {
			t.Errorf("%q took %d asks, want 5: one for the intent and one for each channel", text, n)
		}
	}
}

func extremeBriefs() []string {
	briefs := []string{"x", "<", "[]", "{{name}}", "[Company] sale", "%FIRSTNAME% hi 5%OFF%", "🎉", "!!!", "…", "’", "$9999999999999999 budget",
		"0.0000000000001 usd", "budget $.", "<b>bold</b> & <script>", "a\u0301\u0301\u0301", "*|FNAME|*", "#", "CTR < 5 and ROI > 3",
		"می‌خواهم کمپین تابستانی بسازم", "ग्राहकों के लिए", "여름 세일 20% 할인", "\u0301", "1", "&amp; &lt;b&gt;"}
	for _, unit := range []string{"a", "字", "word ", "'", "&", "🎉", "%A", "50% ", "\u0301", "free ", "e-mail $5 ", ". ", "é", "<a ", "A_B "} {
		text := []rune(strings.Repeat(unit, 2000))[:2000]
		briefs = append(briefs, strings.TrimSpace(string(text)))
	}
	return briefs
}

func randomBrief(random *rand.Rand) string {
	pieces := []string{"sale", "20%", "$500", "für", "夏", "セール", "🎉", "<b>", "[Name]", "{{x}}", "\"", "'", "&", "%", "#tag", ",", ".", "!",
		"e-mail", "لـ", "скидки", "a<b", "—", "%ABC%", "next week", "\u200d", "É", "\u0301", "free", "https://example.com/?a=b&c=d"}
	words := make([]string, 1+random.IntN(60))
	for i := range words {
		words[i] = pieces[random.IntN(len(pieces))]
		if random.IntN(4) == 0 {
			words[i] = string(rune(0x21 + random.IntN(0x2FFF)))
		}
	}
	text, err := ai.CleanBrief(strings.Join(words, strings.Repeat(" ", random.IntN(2))))
	if err != nil {
		return "sale"
	}
	return text
}

func TestSameRequestSameAnswer(t *testing.T) {
	body := `{"messages":[{"role":"user","content":"Vegan sneakers, 20% off"}],"response_format":{"json_schema":{"name":"social"}}}`
	first, second := post(t, body), post(t, body)
	if first.Body.String() != second.Body.String() {
		t.Errorf("two answers differ:\n%s\n%s", first.Body, second.Body)
	}
}

func post(t *testing.T, body string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	demomodel.New().ServeHTTP(recorder, httptest.NewRequest(http.MethodPost, "/v1/chat/completions", strings.NewReader(body)))
	return recorder
}

func TestStreamedAnswerIsTheWholeAnswer(t *testing.T) {
	body := `{"messages":[{"role":"user","content":"Vegan sneakers"}],"response_format":{"json_schema":{"name":"email"}}%s}`
	type choice struct {
		Message, Delta struct{ Content string }
	}
	type chunk struct {
		Choices []choice
		Usage   *struct {
			TotalTokens int `json:"total_tokens"`
		}
	}
	var whole chunk
	if err := json.Unmarshal(post(t, fmt.Sprintf(body, "")).Body.Bytes(), &whole); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	var last chunk
	ended := false
	lines := bufio.NewScanner(post(t, fmt.Sprintf(body, `,"stream":true,"stream_options":{"include_usage":true}`)).Body)
	for lines.Scan() {
		data, found := strings.CutPrefix(lines.Text(), "data: ")
		if ended = data == "[DONE]"; !found || ended {
			continue
		}
		last = chunk{}
		if err := json.Unmarshal([]byte(data), &last); err != nil {
			t.Fatalf("chunk %q: %v", data, err)
		}
		for _, c := range last.Choices {
			text.WriteString(c.Delta.Content)
		}
	}
	if text.String() != whole.Choices[0].Message.Content {
		t.Errorf("the chunks make %q, want %q", text.String(), whole.Choices[0].Message.Content)
	}
	if last.Usage == nil || last.Usage.TotalTokens != whole.Usage.TotalTokens || len(last.Choices) != 0 {
		t.Errorf("the last chunk is %+v, want the usage alone", last)
	}
}

func TestWhatIsNotKnownIsRefused(t *testing.T) {
	for _, body := range []string{"", "[]", "{}", `{"messages":[],"response_format":{"json_schema":{"name":"poem"}}}`} {
		if got := post(t, body); got.Code != http.StatusBadRequest || !strings.Contains(got.Body.String(), `"error"`) {
			t.Errorf("%q was answered %d %s, want 400 with an error", body, got.Code, got.Body)
		}
	}
}

func TestModels(t *testing.T) {
	recorder := httptest.NewRecorder()
	demomodel.New().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, "/v1/models", nil))
	if recorder.Code != http.StatusOK || !strings.Contains(recorder.Body.String(), `"id":"demo"`) {
		t.Errorf("models answered %d %s", recorder.Code, recorder.Body)
	}
}
