package fanfare_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
)

// long is a text of n characters of several bytes each: limits count characters.
func long(n int) string { return strings.Repeat("ü", n-1) + "👋" }

func words(n int) string { return strings.Repeat("<p>wörd 👋</p>", n) }

func goodEmail(change ...func(*fanfare.EmailContent)) *fanfare.EmailContent {
	c := &fanfare.EmailContent{Subject: long(59), Preview: long(99), Body: words(200)}
	for _, f := range change {
		f(c)
	}
	return c
}

func TestContentKeepsItsLimits(t *testing.T) {
	for name, test := range map[string]struct {
		content fanfare.ChannelContent
		want    []string // how each problem begins
	}{
		"email":              {goodEmail(), nil},
		"email, 400 words":   {goodEmail(func(c *fanfare.EmailContent) { c.Body = words(400) }), nil},
		"email, 401 words":   {goodEmail(func(c *fanfare.EmailContent) { c.Body = words(401) }), []string{"body has 401 words"}},
		"email, 199 words":   {goodEmail(func(c *fanfare.EmailContent) { c.Body = words(199) }), []string{"body has 199 words"}},
		"email, subject":     {goodEmail(func(c *fanfare.EmailContent) { c.Subject = long(60) }), []string{"subject has 60 characters; at most 59"}},
		"email, preview":     {goodEmail(func(c *fanfare.EmailContent) { c.Preview = long(100) }), []string{"preview has 100 characters; at most 99"}},
		"email, huge markup": {goodEmail(func(c *fanfare.EmailContent) { c.Body += "<i title='" + long(20_000) + "'>" }), []string{"body has 2"}},
		"email, empty": {&fanfare.EmailContent{Subject: " \n", Preview: "\u2003"}, []string{
			"subject is missing", "preview is missing", "body is missing", "body has 0 words"}},
		"email, no text":    {goodEmail(func(c *fanfare.EmailContent) { c.Subject = "a\x00b"; c.Preview = "\xff" }), []string{"subject contains", "preview contains"}},
		"social":            {&fanfare.SocialContent{Post: long(3000)}, nil},
		"social, long":      {&fanfare.SocialContent{Post: long(3001), Hashtags: []string{"#a", ""}}, []string{"post has 3001", "hashtags[1] is missing"}},
		"social, many tags": {&fanfare.SocialContent{Post: "p", Hashtags: make([]string, 16)}, append([]string{"hashtags has 16 entries"}, repeat("hashtags[", 16)...)},
		"ppc":               {&fanfare.PPCContent{Headlines: []string{long(30)}, Descriptions: []string{long(90)}}, nil},
		"ppc, long":         {&fanfare.PPCContent{Headlines: []string{"h", long(31)}, Descriptions: []string{long(91)}}, []string{"headlines[1] has 31", "descriptions[0] has 91"}},
		"ppc, none":         {&fanfare.PPCContent{}, []string{"headlines has 0 entries", "descriptions has 0 entries"}},
		"sms":               {&fanfare.SMSContent{Text: long(160)}, nil},
		"sms, long":         {&fanfare.SMSContent{Text: long(161)}, []string{"text has 161 characters; at most 160"}},
		"sms, empty":        {&fanfare.SMSContent{}, []string{"text is missing"}},
	} {
		got := test.content.Problems()
		same := len(got) == len(test.want)
		for i := 0; same && i < len(got); i++ {
			same = strings.HasPrefix(got[i], test.want[i])
		}
		if !same {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

func repeat(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func TestCountWords(t *testing.T) {
	for body, want := range map[string]int{
		"":                     0,
		"one two  three\n":     3,
		"<p>one</p><p>two</p>": 2,
		"<b>o</b>ne":           2, // a tag parts words, as the contract counts them
		"Grüße aus Łódź, और Ελλάδα": 5,
		"東京へ go":                   4, // no spaces: each character is a word
		"カタカナ、。":                   4,
		"it's 24/7 – really!":      3,
		"👋 🎉 — … &amp;":            0,
		"a&nbsp;b a&lt;b":          3,
		"<a href='x y z'>link</a>": 1,
		"5 > 3":                    2,
		"<img alt=\"no end":        0,
	} {
		if got := fanfare.CountWords(body); got != want {
			t.Errorf("CountWords(%q) = %d, want %d", body, got, want)
		}
	}
}

// TestEveryChannelHasContent: a channel that is added without its content, or
// whose content nobody puts in its place, would go out empty.
func TestEveryChannelHasContent(t *testing.T) {
	for _, channel := range fanfare.Channels() {
		part := fanfare.NewChannelContent(channel)
		if part == nil {
			t.Fatalf("%s has no content", channel)
		}
		if len(part.Problems()) == 0 {
			t.Errorf("%s has nothing against an empty content", channel)
		}
		var content fanfare.Content
		content.Set(part)
		raw, err := json.Marshal(content)
		var keys map[string]any
		if err == nil {
			err = json.Unmarshal(raw, &keys)
		}
		if _, there := keys[string(channel)]; len(keys) != 1 || !there || err != nil {
			t.Errorf("%s is put in its place as %s, %v", channel, raw, err)
		}
	}
	if part := fanfare.NewChannelContent("fax"); part != nil {
		t.Errorf("fax has the content %v", part)
	}
}

func TestContentAsText(t *testing.T) {
	content := fanfare.Content{
		Email:  &fanfare.EmailContent{Subject: "S", Preview: "P", Body: "<p>B</p>"},
		Social: &fanfare.SocialContent{Post: "Post", Hashtags: []string{"#a", "#b"}},
		PPC:    &fanfare.PPCContent{Headlines: []string{"h1", "h2"}, Descriptions: []string{"d"}},
		SMS:    &fanfare.SMSContent{Text: "T"},
	}
	want := "E-mail\nSubject: S\nPreview: P\n<p>B</p>\n\nSocial post\nPost\n#a #b\n\n" +
		"Search ad\nHeadlines: h1 | h2\nDescriptions: d\n\nText message\nT"
	if diff := cmp.Diff(want, content.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := (fanfare.Content{}).String(); got != "" {
		t.Errorf("nothing reads as %q", got)
	}
}

func TestDescribeAudienceLeavesTheRest(t *testing.T) {
	for before, want := range map[string]string{
		``:                           `{"description":"tea people"}`,
		`null`:                       `{"description":"tea people"}`,
		`[1]`:                        `{"description":"tea people"}`,
		`{"description":"x","n":12}`: `{"description":"tea people","n":12}`,
	} {
		c := fanfare.Campaign{Audience: json.RawMessage(before)}
		c.DescribeAudience("tea people")
		if diff := cmp.Diff(want, string(c.Audience)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", before, diff)
		}
	}
}
