package channel_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"fanfare"
	"fanfare/channel"
	"fanfare/channel/connector"
)

func TestProviders(t *testing.T) {
	registry := channel.New(channel.Options{})
	got := map[string][]string{}
	for _, p := range registry.Providers() {
		for _, field := range p.CredentialFields {
			if field.Name == connector.RateField && !field.Required {
				continue
			}
			name := field.Name
			if !field.Required {
				name += "?"
			}
			got[string(p.Type)+" "+p.Name] = append(got[string(p.Type)+" "+p.Name], name)
			if field.Label == "" {
				t.Errorf("%s: %+v", p.Name, field)
			}
		}
		if p.Description == "" || p.VerifiedAgainst != fanfare.VerifiedReal && p.VerifiedAgainst != fanfare.VerifiedContract {
			t.Errorf("%s has to have a Description, and VerifiedReal or VerifiedContract: %+v", p.Name, p)
		}
		if (p.Type == fanfare.Social || p.Type == fanfare.PPC) && !p.Broadcast {
			t.Errorf("%s: a campaign has no recipients on %s, so it has to be a Broadcast", p.Name, p.Type)
		}
		if again, ok := registry.Provider(p.Name, p.Type); !ok || !cmp.Equal(again, p) {
			t.Errorf("Provider(%s, %s) = %+v, %v", p.Name, p.Type, again, ok)
		}
	}
	want := map[string][]string{
		"email Mailchimp":  {"apiKey", "listId", "from"},
		"email SMTP":       {"host", "port", "username", "password", "from"},
		"email Resend":     {"apiKey", "from"},
		"email Amazon SES": {"region", "accessKeyId", "secretAccessKey", "from", "configurationSet?"},
		"email Postmark":   {"serverToken", "from", "messageStream?"},
		"sms Kannel":       {"url", "username", "password", "from", "maxMessages?"},
		"sms Twilio":       {"accountSid", "authToken", "from?", "messagingServiceSid?"},
		"social Discord":   {"webhookUrl"},
		"social Slack":     {"botToken", "channel"},
		"social Mastodon":  {"server", "accessToken"},
		"social Bluesky":   {"service?", "identifier", "appPassword"},
		"social X":         {"clientId", "clientSecret", "refreshToken", "accessToken?"},
		"social LinkedIn":  {"author", "accessToken?", "version?", "clientId?", "clientSecret?", "refreshToken?"},
		"social Facebook":  {"pageId", "accessToken"},
		"ppc Google Ads": {
			"developerToken", "customerId", "loginCustomerId?", "clientId", "clientSecret", "refreshToken", "accessToken?",
			"finalUrl", "dailyBudget", "euPoliticalAdvertising",
		},
		"ppc Meta Ads": {
			"adAccountId", "pageId", "accessToken", "finalUrl", "dailyBudget", "countries", "specialAdCategories", "advertiser?",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestUnknownProvider(t *testing.T) {
	registry := channel.New(channel.Options{})
	for _, test := range []struct {
		name string
		typ  fanfare.Channel
	}{{"smtp", fanfare.Email}, {"SMTP", fanfare.SMS}, {"", ""}} {
		if _, ok := registry.Provider(test.name, test.typ); ok {
			t.Errorf("%v is a provider", test)
		}
		if err := registry.Check(test.name, test.typ, nil); fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
			t.Errorf("Check(%v) = %v", test, err)
		}
		if _, err := registry.Open(test.name, test.typ, nil); fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
			t.Errorf("Open(%v) = %v", test, err)
		}
	}
}

// smtpWith returns good credentials with some changed; "-" takes one away.
func smtpWith(changes ...string) fanfare.Credentials {
	c := fanfare.Credentials{
		"host": "smtp.example.com", "port": "587", "username": "me", "password": "canary", "from": "Shop <me@example.com>",
	}
	for _, change := range changes {
		name, value, _ := strings.Cut(change, "=")
		c[name] = value
		if value == "-" {
			delete(c, name)
		}
	}
	return c
}

func TestCheckNamesTheFieldAndNoValue(t *testing.T) {
	for _, test := range []struct {
		credentials fanfare.Credentials
		private     bool
		want        []string
	}{
		{credentials: smtpWith()},
		{credentials: smtpWith("host=[2001:db8::1]", "port=25", "from=me@example.com", "ratePerSecond=0.5")},
		{credentials: smtpWith("host=bücher.example", "ratePerSecond=")},
		{credentials: smtpWith("host=-", "port=-"), want: []string{"credentials.host", "credentials.port"}},
		{credentials: smtpWith("host=canary.example:25"), want: []string{"credentials.host"}},
		{credentials: smtpWith("host=canary/../x"), want: []string{"credentials.host"}},
		{credentials: smtpWith("host=canary\r\nx"), want: []string{"credentials.host"}},
		{credentials: smtpWith("host=canary@example.com"), want: []string{"credentials.host"}},
		{credentials: smtpWith("host=" + strings.Repeat("canary.", 50)), want: []string{"credentials.host"}},
		{credentials: smtpWith("port=0"), want: []string{"credentials.port"}},
		{credentials: smtpWith("port=65536"), want: []string{"credentials.port"}},
		{credentials: smtpWith("port=canary"), want: []string{"credentials.port"}},
		{credentials: smtpWith("port= 25"), want: []string{"credentials.port"}},
		{credentials: smtpWith("from=canary"), want: []string{"credentials.from"}},
		{credentials: smtpWith("from=canary@x.example\r\nBcc: a@x.example"), want: []string{"credentials.from"}},
		{credentials: smtpWith("from=canary@x.example, b@x.example"), want: []string{"credentials.from"}},
		{credentials: smtpWith("password=canary\x00"), want: []string{"credentials.password"}},
		{credentials: smtpWith("password=canary\xff"), want: []string{"credentials.password"}},
		{credentials: smtpWith("password=" + strings.Repeat("canary", 1000)), want: []string{"credentials.password"}},
		{credentials: smtpWith("username=", "password="), want: []string{"credentials.username", "credentials.password"}},
		{credentials: smtpWith("username=", "password="), private: true},
		{credentials: smtpWith("username=-"), private: true, want: []string{"credentials.username"}},
		{credentials: smtpWith("password=-"), private: true, want: []string{"credentials.password"}},
		{credentials: smtpWith("apiKey=canary"), want: []string{"credentials.apiKey"}},
		{credentials: smtpWith("a canary\n=x"), want: []string{"credentials.?"}},
		{credentials: smtpWith("ratePerSecond=0"), want: []string{"credentials.ratePerSecond"}},
		{credentials: smtpWith("ratePerSecond=-1"), want: []string{"credentials.ratePerSecond"}},
		{credentials: smtpWith("ratePerSecond=NaN"), want: []string{"credentials.ratePerSecond"}},
		{credentials: smtpWith("ratePerSecond=Inf"), want: []string{"credentials.ratePerSecond"}},
		{credentials: smtpWith("ratePerSecond=0x10"), want: []string{"credentials.ratePerSecond"}},
		{credentials: smtpWith("ratePerSecond=1e9"), want: []string{"credentials.ratePerSecond"}},
	} {
		err := channel.New(channel.Options{AllowPrivate: test.private}).Check("SMTP", fanfare.Email, test.credentials)
		var fields []string
		if refusal, ok := errors.AsType[*fanfare.Error](err); ok {
			for _, field := range refusal.Fields {
				fields = append(fields, field.Field)
			}
		}
		if diff := cmp.Diff(test.want, fields); diff != "" || (err == nil) != (test.want == nil) {
			t.Errorf("%q: %v\n%s", map[string]string(test.credentials), err, diff)
		}
		if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "canary") {
			t.Errorf("a value is quoted: %s", text)
		}
	}
}

func TestOpenSendsNothing(t *testing.T) {
	connection, err := channel.New(channel.Options{}).Open("SMTP", fanfare.Email, smtpWith("host=127.0.0.1", "port=1", "ratePerSecond=2.5"))
	if err != nil {
		t.Fatal(err)
	}
	if connection.Rate() != 2.5 || connection.Provider().Name != "SMTP" {
		t.Errorf("%v, %v", connection.Rate(), connection.Provider())
	}
	if err := connection.Close(); err != nil {
		t.Error(err)
	}
	if _, err := channel.New(channel.Options{}).Open("SMTP", fanfare.Email, nil); fanfare.ErrorCode(err) != fanfare.CodeInvalidRequest {
		t.Errorf("opened without credentials: %v", err)
	}
}
