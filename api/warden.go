package api

import (
	"context"
	"errors"
	"sync"
	"time"

	"fanfare"
)

type credentialStore interface {
	// LiveCredentials returns those of the ids that still let their user in.
	LiveCredentials(ctx context.Context, sessionIDs, keyIDs []string) (map[string]bool, error)
}

// patrolEvery is how often open streams' credentials are looked at: within ten
// seconds, a revoked one shows nothing any more.
const patrolEvery = 4 * time.Second

var errRevoked = errors.New("the credentials were revoked")

// warden closes the streams of sessions and keys that have ended.
type warden struct {
	mu      sync.Mutex
	streams map[*watched]struct{}
}

type watched struct {
	sessionID, keyID string
	cancel           context.CancelCauseFunc
}

// watch has cancel called once the identity's session or key has ended.
func (w *warden) watch(identity *fanfare.Identity, cancel context.CancelCauseFunc) (stop func()) {
	s := &watched{keyID: identity.KeyID, cancel: cancel}
	if identity.Session != nil {
		s.sessionID = identity.Session.ID
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.streams[s] = struct{}{}
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.streams, s)
	}
}

// Run looks after open streams until ctx is done.
func (s *Server) Run(ctx context.Context) {
	tick := time.NewTicker(patrolEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := s.warden.patrol(ctx, s.Store); err != nil {
			s.Logger.WarnContext(ctx, "open streams' credentials could not be looked at", "error", err)
		}
	}
}

// patrol asks for all open streams at once. While the database can't answer,
// they stay open.
func (w *warden) patrol(ctx context.Context, store credentialStore) error {
	sessions, keys := w.credentials()
	if len(sessions)+len(keys) == 0 {
		return nil
	}
	live, err := store.LiveCredentials(ctx, sessions, keys)
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for stream := range w.streams {
		if !live[stream.sessionID] && !live[stream.keyID] {
			stream.cancel(errRevoked)
		}
	}
	return nil
}

func (w *warden) credentials() (sessions, keys []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := map[string]bool{"": true}
	for stream := range w.streams {
		if !seen[stream.sessionID] {
			seen[stream.sessionID] = true
			sessions = append(sessions, stream.sessionID)
		}
		if !seen[stream.keyID] {
			seen[stream.keyID] = true
			keys = append(keys, stream.keyID)
		}
	}
	return sessions, keys
}
