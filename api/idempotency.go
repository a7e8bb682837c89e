package api

import (
	"context"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"fanfare"
)

type idempotencyStore interface {
	Replay(ctx context.Context, key fanfare.IdempotencyKey) (*fanfare.StoredResponse, error)
	SaveResponse(ctx context.Context, key fanfare.IdempotencyKey, response fanfare.StoredResponse) error
}

const idempotencyKeyMax = 255

// created is the answer to a POST that creates something.
type created struct {
	status   int
	location string
	body     any
	keep     any         // what a replay shows, where that is less than body; nil for all of it
	job      fanfare.Job // to be carried after the commit, where its ID is set
	replayed bool
}

// once runs create in a transaction. With an Idempotency-Key the answer is
// stored in the same one, and given again, without running create, to whoever
// repeats the request.
func (s *Server) once(ctx context.Context, create func(ctx context.Context) (created, error)) (created, error) {
	r := requestFrom(ctx)
	if utf8.RuneCountInString(r.key) > idempotencyKeyMax || !isText(r.key) {
		return created{}, fanfare.Invalid("Idempotency-Key", "must be text of at most %d characters", idempotencyKeyMax)
	}
	var answer created
	err := s.Store.Atomic(ctx, func(ctx context.Context) (err error) {
		if r.key == "" {
			answer, err = create(ctx)
			return err
		}
		answer, err = s.replayOr(ctx, r, create)
		return err
	})
	if err == nil && answer.replayed {
		r.header.Set("Idempotent-Replayed", "true")
	}
	if err == nil && answer.job.ID != "" {
		s.carry(ctx, answer.job)
	}
	return answer, err
}

func (s *Server) replayOr(ctx context.Context, r *request, create func(ctx context.Context) (created, error)) (created, error) {
	key := fanfare.IdempotencyKey{
		UserID: r.identity.User.ID, Method: r.method, Path: r.path, Key: r.key, BodyDigest: r.bodyDigest,
	}
	if key.BodyDigest == nil {
		key.BodyDigest = []byte{} // no body
	}
	stored, err := s.Store.Replay(ctx, key)
	if err != nil {
		return created{}, err
	}
	if stored != nil {
		return created{status: stored.Status, location: stored.Location, body: stored.Body, replayed: true}, nil
	}
	answer, err := create(ctx)
	if err != nil {
		return created{}, err
	}
	return answer, s.keep(ctx, key, answer)
}

func (s *Server) keep(ctx context.Context, key fanfare.IdempotencyKey, answer created) error {
	shown := answer.keep
	if shown == nil {
		shown = answer.body
	}
	body, err := json.Marshal(shown)
	if err != nil {
		return fmt.Errorf("encoding an answer to be kept: %w", err)
	}
	return s.Store.SaveResponse(ctx, key, fanfare.StoredResponse{Status: answer.status, Location: answer.location, Body: body})
}

// carry hands a job that is committed to the queue. Should that fail, the relay
// does it; the client need not know.
func (s *Server) carry(ctx context.Context, job fanfare.Job) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), carryLimit)
	defer cancel()
	if _, err := s.Queue.Enqueue(ctx, job); err != nil {
		s.Logger.WarnContext(ctx, "an accepted job is left to the relay", "jobId", job.ID, "error", err)
	}
	s.Hub.Publish(ctx, job)
}
