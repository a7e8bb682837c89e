package events_test

import (
	"context"
	"testing"

	"fanfare"
	"fanfare/internal/await"
	"fanfare/internal/testdb"
)

// TestThePollRepeatsNoHint, but still finds what a later, lost one should have
// brought.
func TestThePollRepeatsNoHint(t *testing.T) {
	t.Parallel()
	hub := running(t, testdb.OwnRedis(t).URL())
	signal, stop := hub.Listen("j1")
	defer stop()
	hub.Publish(t.Context(), fanfare.Job{ID: "j1", Sequence: 3})
	await.Value(t, "the hint", signal)

	versions := make(chan map[string]string)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go hub.Poll(ctx, func(ctx context.Context, _, _ []string) (map[string]string, error) {
		select {
		case found := <-versions:
			return found, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
	versions <- map[string]string{"j1": "3"}
	versions <- map[string]string{"j1": "3"} // taken once the first has been looked at
	if signaled(signal) {
		t.Error("the poll signaled what a hint had brought")
	}
	versions <- map[string]string{"j1": "4"}
	await.Value(t, "the lost hint", signal)
}
