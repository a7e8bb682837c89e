package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"fanfare"
	"fanfare/ai"
	"fanfare/doctor"
)

// modelGrace is what a call may take beside its own AI_TIMEOUT.
const modelGrace = 5 * time.Second

func (d Doctor) model() doctor.Group {
	check := doctor.Check{Name: "model", Limit: d.Config.AI.Timeout + modelGrace, Look: d.askModel}
	skip := func(why string) doctor.Group {
		check.Limit = checkLimit
		check.Look = func(context.Context) []doctor.Finding { return one(doctor.Skip(why)) }
		return doctor.Group{check}
	}
	switch {
	case d.SkipAI:
		return skip("left out, as was asked for")
	case !d.usable("OPENAI_API_KEY", d.Config.AI.APIKey):
		return skip("not looked at, because OPENAI_API_KEY can't be used")
	case !d.usable("OPENAI_BASE_URL", "set"), !d.usable("AI_TIMEOUT", "set"):
		return skip("not looked at, because OPENAI_BASE_URL or AI_TIMEOUT can't be used")
	default:
		return doctor.Group{check}
	}
}

// askModel makes one small call.
func (d Doctor) askModel(ctx context.Context) []doctor.Finding {
	model := ai.New(ai.Config{
		APIKey: d.Config.AI.APIKey, BaseURL: d.Config.AI.BaseURL, Model: d.Config.AI.Model, Timeout: d.Config.AI.Timeout,
		PriceInput: d.Config.AI.PriceInput, PriceOutput: d.Config.AI.PriceOutput,
	})
	speed, err := model.Measure(ctx)
	if err != nil {
		return one(d.noAnswer(err))
	}
	return []doctor.Finding{
		doctor.Fine("%s answered; this look cost %d tokens in, %d out", d.Config.AI.Model, speed.Usage.InputTokens, speed.Usage.OutputTokens),
		d.judge(speed),
	}
}

func (d Doctor) noAnswer(err error) doctor.Finding {
	e, ok := errors.AsType[*fanfare.Error](err)
	switch {
	case errors.Is(err, context.DeadlineExceeded), ok && e.Code == fanfare.CodeAITimeout:
		return doctor.Bad(fmt.Sprintf("%s did not finish a small answer within AI_TIMEOUT (%s)", d.Config.AI.Model, d.Config.AI.Timeout),
			"Raise AI_TIMEOUT and JOB_TIMEOUT, take a smaller model, or see whether its server hangs.")
	case ok:
		found, advice, _ := strings.Cut(e.Message, ". ")
		return doctor.Bad(found, cmp.Or(strings.Replace(advice, "Try again in a moment.", "Check OPENAI_BASE_URL and that its server runs.", 1),
			"Check OPENAI_MODEL and OPENAI_BASE_URL."))
	default:
		return broken(err)
	}
}

// judge holds the time that real answers would take against the settings. The
// channels of a campaign are written side by side, after the brief was read.
func (d Doctor) judge(speed ai.Speed) doctor.Finding {
	call := speed.For(ai.EmailTokens)
	attempt := speed.For(ai.IntentTokens) + call
	measured := fmt.Sprintf("first word after %s, then about %.0f tokens a second: an e-mail would take %s (AI_TIMEOUT %s), a campaign %s (JOB_TIMEOUT %s)",
		round(speed.FirstWord), speed.Rate(), round(call), d.Config.AI.Timeout, round(attempt), d.Config.JobTimeout)
	var f doctor.Finding
	switch {
	case call > d.Config.AI.Timeout:
		f = doctor.Bad(measured, fmt.Sprintf("Raise AI_TIMEOUT to %s and JOB_TIMEOUT to %s, or take a smaller model.", roomy(call), roomy(attempt)))
	case attempt > d.Config.JobTimeout:
		f = doctor.Bad(measured, fmt.Sprintf("Raise JOB_TIMEOUT to %s, or take a smaller model.", roomy(attempt)))
	case roomy(call) > d.Config.AI.Timeout || roomy(attempt) > d.Config.JobTimeout:
		f = doctor.Warn(measured, fmt.Sprintf("Raise AI_TIMEOUT to %s and JOB_TIMEOUT to %s: a busy hour is slower than now.",
			max(roomy(call), d.Config.AI.Timeout), max(roomy(attempt), d.Config.JobTimeout)))
	default:
		f = doctor.Fine("%s", measured)
	}
	f.Check = "model speed"
	return f
}

// roomy leaves half as much again, in whole five seconds.
func roomy(d time.Duration) time.Duration {
	return time.Duration(math.Ceil(d.Seconds()*1.5/5)) * 5 * time.Second
}

func round(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
