package fanfare

import (
	"fmt"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Channel is a way to reach people.
type Channel string

// The channels.
const (
	Email  Channel = "email"
	Social Channel = "social"
	PPC    Channel = "ppc"
	SMS    Channel = "sms"
)

// Channels lists every channel, in the order in which they are shown.
func Channels() []Channel { return []Channel{Email, Social, PPC, SMS} }

// Limits of content, in characters unless they say words. The contract sets
// them; the model is told them, and what it returns is held to them.
const (
	EmailSubjectMax     = 59
	EmailPreviewMax     = 99
	EmailBodyMinWords   = 200
	EmailBodyMaxWords   = 400
	PPCHeadlineMax      = 30
	PPCDescriptionMax   = 90
	SMSTextMax          = 160
	contentPartsMax     = 15
	socialPostMax       = 3000
	socialHashtagMax    = 100
	emailBodyCharacters = 20_000
)

// Content is what goes out, with a part for each channel that has one.
type Content struct {
	Email  *EmailContent  `json:"email,omitempty"`
	Social *SocialContent `json:"social,omitempty"`
	PPC    *PPCContent    `json:"ppc,omitempty"`
	SMS    *SMSContent    `json:"sms,omitempty"`
}

// String is the content as readable text, channel by channel: how it stands in
// a conversation.
func (c Content) String() string {
	var b strings.Builder
	if c.Email != nil {
		fmt.Fprintf(&b, "E-mail\nSubject: %s\nPreview: %s\n%s\n\n", c.Email.Subject, c.Email.Preview, c.Email.Body)
	}
	if c.Social != nil {
		fmt.Fprintf(&b, "Social post\n%s\n%s\n\n", c.Social.Post, strings.Join(c.Social.Hashtags, " "))
	}
	if c.PPC != nil {
		fmt.Fprintf(&b, "Search ad\nHeadlines: %s\nDescriptions: %s\n\n",
			strings.Join(c.PPC.Headlines, " | "), strings.Join(c.PPC.Descriptions, " | "))
	}
	if c.SMS != nil {
		fmt.Fprintf(&b, "Text message\n%s\n\n", c.SMS.Text)
	}
	return strings.TrimSpace(b.String())
}

// EmailContent is an e-mail. Body is HTML without anything that could act.
type EmailContent struct {
	Subject string `json:"subject" doc:"Under 60 characters"`
	Preview string `json:"preview" doc:"Under 100 characters"`
	Body    string `json:"body" doc:"Clean HTML of 200 to 400 words, tags not counted"`
}

// SocialContent is a post.
type SocialContent struct {
	Post     string   `json:"post"`
	Hashtags []string `json:"hashtags" nullable:"false"`
}

// PPCContent is the text of a search ad.
type PPCContent struct {
	Headlines    []string `json:"headlines" nullable:"false" doc:"At most 30 characters each"`
	Descriptions []string `json:"descriptions" nullable:"false" doc:"At most 90 characters each"`
}

// SMSContent is a text message.
type SMSContent struct {
	Text string `json:"text" doc:"At most 160 characters"`
}

// ChannelContent is the content of one channel.
type ChannelContent interface {
	// Problems says in sentences which rules of its channel the content
	// breaks; none means that it may go out.
	Problems() []string
}

// Set puts the content of one channel in its place.
func (c *Content) Set(part ChannelContent) {
	switch p := part.(type) {
	case *EmailContent:
		c.Email = p
	case *SocialContent:
		c.Social = p
	case *PPCContent:
		c.PPC = p
	case *SMSContent:
		c.SMS = p
	}
}

// Part is the content of one channel, nil if there is none.
func (c Content) Part(channel Channel) ChannelContent {
	switch {
	case channel == Email && c.Email != nil:
		return c.Email
	case channel == Social && c.Social != nil:
		return c.Social
	case channel == PPC && c.PPC != nil:
		return c.PPC
	case channel == SMS && c.SMS != nil:
		return c.SMS
	default:
		return nil
	}
}

// Has lists the channels that there is content for.
func (c Content) Has() []Channel {
	var channels []Channel
	for _, channel := range Channels() {
		if c.Part(channel) != nil {
			channels = append(channels, channel)
		}
	}
	return channels
}

// NewChannelContent returns an empty content of a channel, nil if there is no
// such channel.
func NewChannelContent(channel Channel) ChannelContent {
	switch channel {
	case Email:
		return new(EmailContent)
	case Social:
		return new(SocialContent)
	case PPC:
		return new(PPCContent)
	case SMS:
		return new(SMSContent)
	default:
		return nil
	}
}

// Problems implements ChannelContent.
func (c *EmailContent) Problems() []string {
	p := problems{}
	p.text("subject", c.Subject, EmailSubjectMax)
	p.text("preview", c.Preview, EmailPreviewMax)
	p.text("body", c.Body, emailBodyCharacters)
	if n := CountWords(c.Body); n < EmailBodyMinWords || n > EmailBodyMaxWords {
		p.add("body has %d words without its tags; it needs %d to %d", n, EmailBodyMinWords, EmailBodyMaxWords)
	}
	return p
}

// Problems implements ChannelContent.
func (c *SocialContent) Problems() []string {
	p := problems{}
	p.text("post", c.Post, socialPostMax)
	if len(c.Hashtags) > contentPartsMax {
		p.add("hashtags has %d entries; at most %d are allowed", len(c.Hashtags), contentPartsMax)
	}
	for i, tag := range c.Hashtags {
		p.text(fmt.Sprintf("hashtags[%d]", i), tag, socialHashtagMax)
	}
	return p
}

// Problems implements ChannelContent.
func (c *PPCContent) Problems() []string {
	p := problems{}
	p.list("headlines", c.Headlines, PPCHeadlineMax)
	p.list("descriptions", c.Descriptions, PPCDescriptionMax)
	return p
}

// Problems implements ChannelContent.
func (c *SMSContent) Problems() []string {
	p := problems{}
	p.text("text", c.Text, SMSTextMax)
	return p
}

type problems []string

func (p *problems) add(format string, args ...any) {
	*p = append(*p, fmt.Sprintf(format, args...))
}

func (p *problems) text(name, value string, limit int) {
	switch n := utf8.RuneCountInString(value); {
	case strings.TrimSpace(value) == "":
		p.add("%s is missing or empty", name)
	case !utf8.ValidString(value) || strings.ContainsRune(value, 0):
		p.add("%s contains characters that are not text", name)
	case n > limit:
		p.add("%s has %d characters; at most %d are allowed", name, n, limit)
	}
}

func (p *problems) list(name string, values []string, limit int) {
	if len(values) == 0 || len(values) > contentPartsMax {
		p.add("%s has %d entries; it needs 1 to %d", name, len(values), contentPartsMax)
	}
	for i, value := range values {
		p.text(fmt.Sprintf("%s[%d]", name, i), value, limit)
	}
}

// CountWords counts the words of clean HTML without its tags. A run of
// characters between white space or tags is a word if it has a letter or digit;
// in Chinese and Japanese, which write no spaces, each character is one.
func CountWords(body string) int {
	words, inWord := 0, false
	for _, r := range html.UnescapeString(withoutTags(body)) {
		switch {
		case unicode.IsSpace(r):
			inWord = false
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana):
			words, inWord = words+1, false
		case !inWord && (unicode.IsLetter(r) || unicode.IsDigit(r)):
			words, inWord = words+1, true
		}
	}
	return words
}

// withoutTags puts a space in each tag's place.
func withoutTags(body string) string {
	var text strings.Builder
	inTag := false
	for _, r := range body {
		switch {
		case r == '<':
			inTag = true
			text.WriteByte(' ')
		case r == '>' && inTag:
			inTag = false
		case !inTag:
			text.WriteRune(r)
		}
	}
	return text.String()
}
