package social

import (
	"context"
	"errors"
	"time"

	"fanfare"
	"fanfare/channel/connector"
)

// Search asks a network that takes no key of ours what became of a message: find
// returns the id of the account's own post of that text since a time, "" where it
// sees none. What is found was taken. What is not, or what the credentials may
// not read, is unknown: the network may still show it. Whoever has posted the same
// text by hand meanwhile has done what the message was for, so that is taken too.
func Search(ctx context.Context, m fanfare.Outgoing, find func(ctx context.Context, text string, since time.Time) (id string, err error)) (fanfare.Answer, error) {
	unknown := fanfare.Answer{State: fanfare.AnswerUnknown}
	text, err := Compose(m.Content)
	if err != nil {
		return unknown, nil
	}
	began, err := connector.Began(m.ID)
	if err != nil {
		return unknown, nil
	}
	id, err := find(ctx, text, began)
	if e, ok := errors.AsType[*fanfare.SendError](err); ok && (e.Fate == fanfare.FateUnauthorized || e.Fate == fanfare.FateRefused) {
		return unknown, nil
	}
	if err != nil || id == "" {
		return unknown, err
	}
	return fanfare.Answer{State: fanfare.AnswerTaken, ProviderID: id}, nil
}
