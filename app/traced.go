package app

import (
	"context"
	"log/slog"

	"fanfare"
)

// tracedConnection measures what a provider is asked. It is not told of the
// trace: it is somebody else's.
type tracedConnection struct{ fanfare.Connection }

// Test implements fanfare.Connection.
func (c tracedConnection) Test(ctx context.Context) error {
	ctx, end := c.trace(ctx, "test")
	err := c.Connection.Test(ctx)
	end(err)
	return err
}

// Send implements fanfare.Connection.
func (c tracedConnection) Send(ctx context.Context, m fanfare.Outgoing) (providerID string, err error) {
	ctx, end := c.trace(ctx, "send")
	providerID, err = c.Connection.Send(ctx, m)
	end(err)
	return providerID, err
}

// Ask implements fanfare.Connection.
func (c tracedConnection) Ask(ctx context.Context, m fanfare.Outgoing) (fanfare.Answer, error) {
	ctx, end := c.trace(ctx, "ask")
	answer, err := c.Connection.Ask(ctx, m)
	end(err)
	return answer, err
}

// Fits implements fanfare.Fitter, for connections that do.
func (c tracedConnection) Fits(ctx context.Context, content fanfare.Content) error {
	fitter, ok := c.Connection.(fanfare.Fitter)
	if !ok {
		return nil
	}
	ctx, end := c.trace(ctx, "fit")
	err := fitter.Fits(ctx, content)
	end(err)
	return err
}

func (c tracedConnection) trace(ctx context.Context, what string) (context.Context, fanfare.EndTrace) {
	provider := c.Provider()
	return fanfare.Trace(ctx, fanfare.OpSend, what+" "+provider.Name,
		slog.String("fanfare.provider", provider.Name), slog.String("fanfare.channel", string(provider.Type)))
}
