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
	intentName   = "intent"
	analyzeName  = "analyze"
	optimizeName = "optimize"
	kindText     = `"type":"string"`
	kindTexts    = `"type":"array","items":{"type":"string"}`
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

func insightsSchema() json.RawMessage {
	metric := object(
		field{"label", kindText, "The metric's name"},
		field{"value", kindText, "Its figure as given, with its unit"},
		field{"trend", `"type":"string","enum":["up","down","stable"]`, "Where it is heading; stable where the data does not tell"},
	)
	return object(
		field{"summary", kindText, "2 to 3 sentences"},
		field{"keyMetrics", `"type":"array","items":` + string(metric), entries(fanfare.KeyMetricsMin, fanfare.KeyMetricsMax)},
		field{"recommendations", kindTexts, entries(fanfare.RecommendationsMin, fanfare.RecommendationsMax)},
		field{"optimizations", kindTexts, entries(fanfare.OptimizationsMin, fanfare.OptimizationsMax)},
	)
}

func suggestionsSchema() json.RawMessage {
	return object(field{"suggestions", kindTexts, entries(fanfare.SuggestionsMin, fanfare.SuggestionsMax)})
}

func entries(least, most int) string { return fmt.Sprintf("%d to %d entries", least, most) }

func contentSchema(channel fanfare.Channel) (schema json.RawMessage, known bool) {
	fields := contentFields(channel)
	return object(fields...), len(fields) > 0
}

// The fields that are no plain text.
const (
	bodyField     = "body"
	hashtagsField = "hashtags"
)

// contentFields lists the fields of a channel's content, none if there is no
// such channel.
func contentFields(channel fanfare.Channel) []field {
	switch channel {
	case fanfare.Email:
		return []field{
			{"subject", kindText, atMost(fanfare.EmailSubjectMax)},
			{"preview", kindText, atMost(fanfare.EmailPreviewMax)},
			{bodyField, kindText, fmt.Sprintf("HTML of %d to %d words without its tags", fanfare.EmailBodyMinWords, fanfare.EmailBodyMaxWords)},
		}
	case fanfare.Social:
		return []field{
			{"post", kindText, "Plain text without hashtags"},
			{hashtagsField, kindTexts, "2 to 5, each one word"},
		}
	case fanfare.PPC:
		return []field{
			{"headlines", kindTexts, "3 to 5, each of " + atMost(fanfare.PPCHeadlineMax)},
			{"descriptions", kindTexts, "2 to 4, each of " + atMost(fanfare.PPCDescriptionMax)},
		}
	case fanfare.SMS:
		return []field{{"text", kindText, atMost(fanfare.SMSTextMax)}}
	default:
		return nil
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
