package api

import (
	"context"
	"errors"
	"strings"
	"time"

	"fanfare"
)

const (
	// connectionTestPath: clients of this route look for success in every
	// answer, so that its errors have one too.
	connectionTestPath = "/api/integrations/test"
	// connectionTestLimit is below what browsers and proxies wait for.
	connectionTestLimit = 15 * time.Second

	noIntegration = "There is no integration with that id, or it is not yours."
)

type testIntegrationInput struct {
	Body struct {
		ID string `json:"id" doc:"The integration's"`
	}
}

type testIntegrationOutput struct {
	Body struct {
		Success bool   `json:"success"`
		Reason  string `json:"reason,omitempty" doc:"Why not: whether it is the credentials, or worth trying again"`
	}
}

func (s *Server) testIntegration(ctx context.Context, in *testIntegrationInput) (*testIntegrationOutput, error) {
	out := &testIntegrationOutput{}
	verdict, err := s.tryIntegration(ctx, strings.ToLower(in.Body.ID))
	if fanfare.ErrorCode(err) == fanfare.CodeNotFound {
		out.Body.Reason = noIntegration
		return out, nil
	}
	out.Body.Success, out.Body.Reason = verdict == nil && err == nil, reason(verdict)
	return out, err
}

// tryIntegration calls the provider and stores how that went. A nil verdict is
// a good one.
func (s *Server) tryIntegration(ctx context.Context, id string) (verdict *fanfare.SendError, err error) {
	if !isID(id) {
		return nil, fanfare.Errorf(fanfare.CodeNotFound, noIntegration)
	}
	integration, err := s.Store.Integration(ctx, user(ctx).ID, id)
	if err != nil {
		return nil, err
	}
	if verdict, err = s.callProvider(ctx, integration, fanfare.Connection.Test); err != nil {
		return nil, err
	}
	status, answered := fanfare.IntegrationConnected, true
	record := audited(ctx, fanfare.ActionIntegrationTest, id, about(integration))
	record.Metadata["outcome"] = "connected"
	if verdict != nil {
		status, answered = fanfare.IntegrationError, !isTemporary(verdict.Fate)
		record.Status, record.Metadata["outcome"] = fanfare.AuditFailure, verdict.Fate
	}
	return verdict, s.Store.Atomic(ctx, func(ctx context.Context) error {
		if err := s.Store.SetIntegrationStatus(ctx, integration.UserID, id, status, answered); err != nil {
			return err
		}
		return s.Store.Audit(ctx, record)
	})
}

// callProvider never takes longer than its limit. What went wrong at the
// provider is the verdict, what went wrong here the error.
func (s *Server) callProvider(ctx context.Context, i fanfare.Integration, call func(fanfare.Connection, context.Context) error) (verdict *fanfare.SendError, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectionTestLimit)
	defer cancel()
	connection, err := s.Connections.Connect(ctx, i.UserID, i.ID)
	if verdict, ok := errors.AsType[*fanfare.SendError](err); ok {
		return verdict, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = connection.Close() }()
	err = call(connection, ctx)
	if verdict, ok := errors.AsType[*fanfare.SendError](err); ok || err == nil {
		return verdict, nil
	}
	return &fanfare.SendError{Fate: fanfare.FateUnknown, Cause: err}, nil
}

// isTemporary tells a provider that gave no answer from one that did.
func isTemporary(fate fanfare.Fate) bool {
	return fate != fanfare.FateUnauthorized && fate != fanfare.FateRefused
}

// reason says first what to do about a verdict, then what the provider said.
func reason(verdict *fanfare.SendError) string {
	var advice string
	switch {
	case verdict == nil:
		return ""
	case verdict.Fate == fanfare.FateUnauthorized:
		advice = "These credentials do not work."
	case verdict.Fate == fanfare.FateRefused:
		advice = "The provider can't be used with these settings."
	default:
		advice = "The provider could not be reached now; try again later."
	}
	return strings.TrimSpace(advice + " " + verdict.Reason)
}
