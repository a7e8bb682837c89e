package ai

import (
	"bytes"
	"encoding/json"
	"fmt"

	"fanfare"
)

// field is one property of an answer. Kind is its JSON schema but for the
// description, which is where limits are told: strict mode refuses minLength,
// maxLength and their like (platform.openai.com/docs/guides/structured-outputs).
type field struct{ name, kind, about string }

const (
	intentName = "intent"
	kindText   = `"type":"string"`
	kindTexts  = `"type":"array","items":{"type":"string"}`
)

func intentSchema() json.RawMessage {
	return object(
		field{"goal", kindText, "What the campaign shall achieve, in one sentence"},
		field{"channels", `"type":"array","items":{"type":"string","enum":["email","social","ppc","sms"]}`, "The channels that the brief names; all four if it names none"},
		field{"keyMessage", kindText, "The one thing that people shall remember"},
		field{"callToAction", kindText, "What people shall do"},
		field{"audience", kindText, "Whom it addresses; empty if the brief does not say"},
		field{"budget", `"type":["number","null"]`, "The campaign's budget without its currency; null if there is none"},
		field{"schedule", kindText, "When it shall go out, in the brief's words; empty if it does not say"},
	)
}

func contentSchema(channel fanfare.Channel) (schema json.RawMessage, known bool) {
	switch channel {
	case fanfare.Email:
		return object(
			field{"subject", kindText, atMost(fanfare.EmailSubjectMax)},
			field{"preview", kindText, atMost(fanfare.EmailPreviewMax)},
			field{"body", kindText, fmt.Sprintf("HTML of %d to %d words without its tags", fanfare.EmailBodyMinWords, fanfare.EmailBodyMaxWords)},
		), true
	case fanfare.Social:
		return object(
			field{"post", kindText, "Plain text without hashtags"},
			field{"hashtags", kindTexts, "2 to 5, each one word"},
		), true
	case fanfare.PPC:
		return object(
			field{"headlines", kindTexts, "3 to 5, each of " + atMost(fanfare.PPCHeadlineMax)},
			field{"descriptions", kindTexts, "2 to 4, each of " + atMost(fanfare.PPCDescriptionMax)},
		), true
	case fanfare.SMS:
		return object(field{"text", kindText, atMost(fanfare.SMSTextMax)}), true
	default:
		return nil, false
	}
}

func atMost(n int) string { return fmt.Sprintf("at most %d characters, plain text", n) }

// object writes a schema with its properties in the given order, in which
// strict mode has the model write them.
func object(fields ...field) json.RawMessage {
	var properties, required bytes.Buffer
	for i, f := range fields {
		if i > 0 {
			properties.WriteByte(',')
			required.WriteByte(',')
		}
		fmt.Fprintf(&properties, `%q:{%s,"description":%q}`, f.name, f.kind, f.about)
		fmt.Fprintf(&required, "%q", f.name)
	}
	return fmt.Appendf(nil, `{"type":"object","properties":{%s},"required":[%s],"additionalProperties":false}`, &properties, &required)
}
