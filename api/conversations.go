package api

import (
	"context"

	"fanfare"
)

type conversationStore interface {
	Conversations(ctx context.Context, userID string, page fanfare.Page) ([]fanfare.Conversation, error)
	Conversation(ctx context.Context, userID, id string) (fanfare.Conversation, error)
	DeleteConversation(ctx context.Context, userID, id string) error
}

func (s *Server) listConversations(ctx context.Context, in *PageInput) (*listOutput[fanfare.Conversation], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	conversations, err := s.Store.Conversations(ctx, user(ctx).ID, page)
	if err != nil {
		return nil, err
	}
	return listed(*in, "/api/conversations", nil, conversations, func(c fanfare.Conversation) fanfare.Position {
		return fanfare.Position{CreatedAt: c.UpdatedAt, ID: c.ID}
	}), nil
}

type conversationOutput struct{ Body fanfare.Conversation }

func (s *Server) getConversation(ctx context.Context, in *IDInput) (*conversationOutput, error) {
	conversation, err := s.Store.Conversation(ctx, user(ctx).ID, in.ID)
	return &conversationOutput{Body: conversation}, err
}

func (s *Server) deleteConversation(ctx context.Context, in *IDInput) (*struct{}, error) {
	return nil, s.Store.Atomic(ctx, func(ctx context.Context) error {
		if err := s.Store.DeleteConversation(ctx, user(ctx).ID, in.ID); err != nil {
			return err
		}
		return s.Store.Audit(ctx, audited(ctx, fanfare.ActionConversationDelete, in.ID, nil))
	})
}
