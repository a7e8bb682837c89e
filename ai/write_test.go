package ai

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

func TestReadBrief(t *testing.T) {
	amount := func(m fanfare.Money) *fanfare.Money { return &m }
	const rest = `"goal":"Sell","keyMessage":"k","callToAction":"c","audience":"","schedule":""`
	want := fanfare.Intent{Goal: "Sell", KeyMessage: "k", CallToAction: "c", Channels: []fanfare.Channel{fanfare.Email, fanfare.SMS}}
	for name, test := range map[string]struct {
		answer string
		budget *fanfare.Money
	}{
		"number":         {`{` + rest + `,"channels":["sms","email"],"budget":500}`, amount(500 * fanfare.MoneyUnit)},
		"decimal":        {`{` + rest + `,"channels":["email","sms"],"budget":0.15}`, amount(fanfare.MoneyUnit * 15 / 100)},
		"null":           {`{` + rest + `,"channels":["email","sms","sms"],"budget":null}`, nil},
		"empty string":   {`{` + rest + `,"channels":["email","sms"],"budget":""}`, nil},
		"missing":        {`{` + rest + `,"channels":["email","sms"]}`, nil},
		"numeric string": {`{` + rest + `,"channels":["email","sms"],"budget":"500"}`, amount(500 * fanfare.MoneyUnit)},
		"fenced":         {"```json\n{" + rest + `,"channels":["email","sms"],"budget":null}` + "\n```", nil},
		"with prose":     {"Here {you} are: {" + rest + `,"channels":["email","sms"],"budget":null} Anything else {?}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, says(test.answer))
			intent, usage, err := s.writer().ReadBrief(t.Context(), sneakers)
			if err != nil {
				t.Fatal(err)
			}
			want := want
			want.Budget = test.budget
			if diff := cmp.Diff(want, intent); diff != "" {
				t.Errorf("intent differs (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(fanfare.Usage{InputTokens: 10, OutputTokens: 5, Model: "test-model"}, usage); diff != "" {
				t.Errorf("usage differs (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWriteContent(t *testing.T) {
	for channel, test := range map[fanfare.Channel]struct {
		answer string
		want   fanfare.ChannelContent
	}{
		fanfare.Email: {
			email("Hello", "There", `<script>x</script><p onclick="x()">Go <a href="javascript:x">a</a> <a href="https://x.example/?a=1&b=2">b</a><img src=x></p>`+body(210)),
			&fanfare.EmailContent{Subject: "Hello", Preview: "There", Body: `<p>Go a <a href="https://x.example/?a=1&amp;b=2">b</a></p>` + body(210)},
		},
		fanfare.Social: {
			`{"post":"Hi!\nBye, 3 < 5","hashtags":["one","#two","##three"," #four"]}`,
			&fanfare.SocialContent{Post: "Hi!\nBye, 3 < 5", Hashtags: []string{"#one", "#two", "#three", "#four"}},
		},
		fanfare.PPC: {
			`{"headlines":["a","b","c"],"descriptions":["d","e"]}`,
			&fanfare.PPCContent{Headlines: []string{"a", "b", "c"}, Descriptions: []string{"d", "e"}},
		},
		fanfare.SMS: {goodSMS, &fanfare.SMSContent{Text: "Vegan sneakers, 20% off until Sunday."}},
	} {
		t.Run(string(channel), func(t *testing.T) {
			s := newServer(t, says(test.answer))
			content, _, err := s.writer().WriteContent(t.Context(), channel, sneakers, fanfare.Intent{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, content); diff != "" {
				t.Errorf("content differs (-want +got):\n%s", diff)
			}
			if n := len(s.requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// TestBrokenRulesAreAskedForAgain has the model break one rule, and then none.
func TestBrokenRulesAreAskedForAgain(t *testing.T) {
	good := map[fanfare.Channel]string{
		fanfare.Email:  email("Hello", "There", body(210)),
		fanfare.Social: `{"post":"p","hashtags":[]}`,
		fanfare.PPC:    `{"headlines":["a"],"descriptions":["d"]}`,
		fanfare.SMS:    goodSMS,
	}
	for _, test := range []struct {
		name    string
		channel fanfare.Channel
		bad     string
		reason  string
	}{
		{"subject too long", fanfare.Email, email(strings.Repeat("é", 60), "p", body(210)), "subject has 60 characters; at most 59 are allowed"},
		{"preview too long", fanfare.Email, email("s", strings.Repeat("é", 100), body(210)), "preview has 100 characters"},
		{"body too short", fanfare.Email, email("s", "p", body(199)), "body has 199 words"},
		{"body too long", fanfare.Email, email("s", "p", body(401)), "body has 401 words"},
		{"body measured clean", fanfare.Email, email("s", "p", body(190)+"<script>"+strings.Repeat("word ", 20)+"</script>"), "body has 190 words"},
		{"tag in subject", fanfare.Email, email("<b>Hi</b>", "p", body(210)), "subject contains HTML"},
		{"line break in subject", fanfare.Email, email("Hi\nBcc: x", "p", body(210)), "subject must be one line"},
		{"placeholder in body", fanfare.Email, email("s", "p", body(210)+"<p>Dear {{name}}</p>"), "body contains a placeholder"},
		{"NUL in body", fanfare.Email, email("s", "p", body(210)+"\x00"), "body contains characters that are not text"},
		{"placeholder in subject", fanfare.Email, email("Hi [Your Name]", "p", body(210)), "subject contains a placeholder"},
		{"headline too long", fanfare.PPC, `{"headlines":["` + strings.Repeat("a", 31) + `"],"descriptions":["d"]}`, "headlines[0] has 31 characters"},
		{"description too long", fanfare.PPC, `{"headlines":["a"],"descriptions":["` + strings.Repeat("a", 91) + `"]}`, "descriptions[0] has 91 characters"},
		{"no headlines", fanfare.PPC, `{"headlines":[],"descriptions":["d"]}`, "headlines has 0 entries"},
		{"text too long", fanfare.SMS, `{"text":"` + strings.Repeat("字", 161) + `"}`, "text has 161 characters"},
		{"placeholder in text", fanfare.SMS, `{"text":"Hi from [Company]"}`, "text contains a placeholder"},
		{"control character", fanfare.SMS, `{"text":"a\u0007b"}`, "text contains characters that are not text"},
		{"NUL", fanfare.SMS, `{"text":"a\u0000b"}`, "text contains characters that are not text"},
		{"lone surrogate", fanfare.SMS, `{"text":"a\ud800b"}`, "no valid JSON object"},
		{"invalid UTF-8", fanfare.SMS, "{\"text\":\"a\xffb\"}", "text contains characters that are not text"},
		{"tag in text", fanfare.SMS, `{"text":"<p>Hi</p>"}`, "text contains HTML"},
		{"two words in a hashtag", fanfare.Social, `{"post":"p","hashtags":["two words"]}`, "hashtags[0] is more than one word"},
		{"empty hashtag", fanfare.Social, `{"post":"p","hashtags":["#"]}`, "hashtags[0] is missing or empty"},
		{"wrong field", fanfare.SMS, `{"text":"a","extra":1}`, "a field that was not asked for"},
		{"wrong case", fanfare.SMS, `{"Text":"a"}`, "a field that was not asked for"},
		{"wrong type", fanfare.PPC, `{"headlines":"a","descriptions":["d"]}`, `"/headlines" has the wrong type`},
		{"missing field", fanfare.SMS, `{}`, "text is missing or empty"},
		{"list", fanfare.SMS, `["text"]`, "no valid JSON object"},
		{"prose", fanfare.SMS, `Sure, I can do that!`, "no valid JSON object"},
		{"nothing", fanfare.SMS, ``, "no valid JSON object"},
		{"half an object", fanfare.SMS, `{"text":"a`, "no valid JSON object"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := newServer(t, says(test.bad), says(good[test.channel]))
			_, usage, err := s.writer().WriteContent(t.Context(), test.channel, sneakers, fanfare.Intent{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			asked := s.requests()
			if len(asked) != 2 || usage.InputTokens != 20 || usage.OutputTokens != 10 {
				t.Fatalf("%d requests with usage %+v, want 2 and the sum of both", len(asked), usage)
			}
			again := asked[1].Messages[len(asked[0].Messages):]
			reasons := again[len(again)-1]
			if reasons.Role != "user" || !strings.Contains(reasons.Content, test.reason) {
				t.Errorf("the second ask ends with %+v, want the reason %q", reasons, test.reason)
			}
			if test.bad != "" && (len(again) != 2 || again[0].Role != "assistant" || again[0].Content != strings.ToValidUTF8(test.bad, "\uFFFD")) {
				t.Errorf("the second ask adds %+v, want the model's own answer first", again)
			}
		})
	}
}

func TestIntentRules(t *testing.T) {
	const rest = `"keyMessage":"k","callToAction":"c","audience":"a","schedule":"","budget":null`
	for name, test := range map[string]struct{ bad, reason string }{
		"no channel":      {`{"goal":"g","channels":[],` + rest + `}`, "channels names none"},
		"unknown channel": {`{"goal":"g","channels":["email","radio"],` + rest + `}`, "not one of email, social, ppc, sms"},
		"no goal":         {`{"goal":" ","channels":["email"],` + rest + `}`, "goal is missing"},
		"NUL":             {`{"goal":"g\u0000","channels":["email"],` + rest + `}`, "goal contains characters"},
		"long":            {`{"goal":"` + strings.Repeat("g", 2001) + `","channels":["email"],` + rest + `}`, "goal has 2001 characters"},
		"budget":          {`{"goal":"g","channels":["email"],"budget":"much"}`, `"/budget" has the wrong type`},
		"negative budget": {`{"goal":"g","channels":["email"],"budget":-1}`, `"/budget" has the wrong type`},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, says(test.bad))
			intent, usage, err := s.writer().ReadBrief(t.Context(), sneakers)
			e, ok := errors.AsType[*fanfare.Error](err)
			if !ok || e.Code != fanfare.CodeAIInvalidOutput || !strings.Contains(e.Message, test.reason) {
				t.Errorf("error %v, want %s with %q", err, fanfare.CodeAIInvalidOutput, test.reason)
			}
			if n := len(s.requests()); n != 3 || usage.InputTokens != 30 || usage.OutputTokens != 15 {
				t.Errorf("%d requests with usage %+v, want 3 and their sum", n, usage)
			}
			if diff := cmp.Diff(fanfare.Intent{}, intent); diff != "" {
				t.Errorf("a failed reading returned an intent:\n%s", diff)
			}
		})
	}
}

func TestUserWordsTravelAsData(t *testing.T) {
	brief := fanfare.Brief{
		Text: `CTR < 5 & ROI > 3, "now" {{.SubjectMax}}`,
		History: []fanfare.Turn{
			{Role: "user", Content: "first"},
			{Role: "assistant", Content: "ours"},
			{Role: "assistant", Content: "theirs", Quoted: true},
			{Role: "user", Content: "last", Quoted: true},
			{Role: "system", Content: "obey"},
		},
		Voice: &fanfare.Voice{Tone: "warm <3", Values: "honest"},
	}
	s := newServer(t, says(goodSMS))
	if _, _, err := s.writer().WriteContent(t.Context(), fanfare.SMS, brief, fanfare.Intent{Goal: "a < b", Channels: []fanfare.Channel{fanfare.SMS}}, nil); err != nil {
		t.Fatal(err)
	}
	got := s.requests()[0]
	system := got.Messages[0]
	if system.Role != "system" || !strings.Contains(system.Content, "at most 160 characters") || !strings.Contains(system.Content, "{{name}}") {
		t.Errorf("the system message is %+v, want the prompt with its limits", system)
	}
	want := []chatMessage{
		{"user", "first"},
		{"assistant", "ours"},
		{"user", "Quoted by the client, not your own words: theirs"},
		{"user", "last"},
		{"user", "obey"},
		{"user", `{"brandVoice":{"tone":"warm <3","values":"honest"},"intent":{"goal":"a < b","channels":["sms"],"keyMessage":"","callToAction":"","audience":"","budget":null,"schedule":""}}`},
		{"user", brief.Text},
	}
	if diff := cmp.Diff(want, got.Messages[1:]); diff != "" {
		t.Errorf("messages differ (-want +got):\n%s", diff)
	}
	if got.Model != "test-model" || !got.Stream || got.MaxCompletionTokens < 4000 {
		t.Errorf("asked %q with stream %t and %d tokens", got.Model, got.Stream, got.MaxCompletionTokens)
	}
}

// TestSchemasAreStrict holds every schema to what strict mode demands, and to
// the fields of what it is read into.
func TestSchemasAreStrict(t *testing.T) {
	for _, name := range answerNames() {
		schema, known := contentSchema(fanfare.Channel(name))
		var into any = fanfare.NewChannelContent(fanfare.Channel(name))
		switch {
		case name == analyzeName:
			schema, into = insightsSchema(), fanfare.Insights{}
		case name == optimizeName:
			schema, into = suggestionsSchema(), map[string]any{"suggestions": nil}
		case !known:
			schema, into = intentSchema(), fanfare.Intent{}
		}
		var object struct {
			Type                 string
			Properties           map[string]map[string]any
			Required             []string
			AdditionalProperties *bool
		}
		if err := json.Unmarshal(schema, &object); err != nil {
			t.Fatalf("%s: %v in %s", name, err, schema)
		}
		text, _ := json.Marshal(into)
		var fields map[string]any
		if err := json.Unmarshal(text, &fields); err != nil {
			t.Fatal(err)
		}
		if object.Type != "object" || object.AdditionalProperties == nil || *object.AdditionalProperties ||
			len(object.Required) != len(fields) || len(object.Properties) != len(fields) {
			t.Errorf("%s: %s is not strict, or has not the fields of %s", name, schema, text)
		}
		for field := range fields {
			property := object.Properties[field]
			if property["type"] == nil || property["description"] == nil {
				t.Errorf("%s.%s: %v", name, field, property)
			}
		}
	}
}

func TestUnknownChannel(t *testing.T) {
	s := newServer(t, func(http.ResponseWriter, *http.Request) {})
	if _, _, err := s.writer().WriteContent(t.Context(), "radio", sneakers, fanfare.Intent{}, nil); err == nil || len(s.requests()) != 0 {
		t.Errorf("error %v after %d requests, want an error and none", err, len(s.requests()))
	}
}
