package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"fanfare"
)

// check refuses the whole launch, before anything is sent, where the content of
// a channel is not fit to go out: what was sent can't be taken back, and
// somebody has to look at it.
func (l *launching) check() error {
	var found []string
	for _, channel := range l.payload.Channels {
		for _, problem := range contentProblems(l.campaign.Content, channel) {
			found = append(found, fmt.Sprintf("%s: %s", channel, problem))
		}
	}
	return unfit(found)
}

// fits refuses the whole launch, too, where a provider says that it would not
// take a channel's content. One that can't tell is that channel's trouble alone.
func (l *launching) fits(ctx context.Context) error {
	var mu sync.Mutex
	var found []string
	l.each(ctx, func(c *sending) error {
		fitter, ok := c.connection.(fanfare.Fitter)
		if !ok || c.trouble != nil {
			return nil
		}
		err := fitter.Fits(ctx, l.campaign.Content)
		e, ok := errors.AsType[*fanfare.SendError](err)
		if !ok || e.Fate != fanfare.FateRefused {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		found = append(found, fmt.Sprintf("%s: %s", c.channel, strings.TrimSuffix(e.Reason, ".")))
		return nil
	})
	slices.Sort(found)
	return unfit(found)
}

// unfit is the error of content that is not fit to go out; nil if nothing was
// found wrong with it.
func unfit(found []string) error {
	if len(found) == 0 {
		return nil
	}
	err := fanfare.Errorf(fanfare.CodeLaunchCheckFailed,
		"No message went out: %s. Edit the campaign's content, then launch again.", strings.Join(found, "; "))
	err.Final = true
	return err
}

func contentProblems(content fanfare.Content, channel fanfare.Channel) []string {
	part := content.Part(channel)
	if part == nil {
		return []string{"there is no content"}
	}
	problems := part.Problems()
	var alone fanfare.Content
	alone.Set(part)
	for _, placeholder := range fanfare.Placeholders(alone.String()) {
		problems = append(problems, placeholder+" is not filled in")
	}
	return problems
}
