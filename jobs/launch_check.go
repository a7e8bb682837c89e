package jobs

import (
	"fmt"
	"strings"

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
