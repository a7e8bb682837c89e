package api

import (
	"context"
	"net/url"

	"fanfare"
)

type deliveryStore interface {
	Deliveries(ctx context.Context, userID, campaignID string, filter fanfare.DeliveryFilter, page fanfare.Page) ([]fanfare.Delivery, error)
}

type listDeliveriesInput struct {
	IDInput
	PageInput
	Status   string `query:"status" enum:"pending,sending,sent,failed,unknown,skipped"`
	Channel  string `query:"channel" enum:"email,social,ppc,sms"`
	LaunchID string `query:"launchId" format:"uuid"`
}

func (s *Server) listDeliveries(ctx context.Context, in *listDeliveriesInput) (*listOutput[fanfare.Delivery], error) {
	page, err := in.page()
	if err != nil {
		return nil, err
	}
	if _, err := s.Store.Campaign(ctx, user(ctx).ID, in.ID); err != nil {
		return nil, err
	}
	filter := fanfare.DeliveryFilter{
		Status: fanfare.DeliveryStatus(in.Status), Channel: fanfare.Channel(in.Channel), LaunchID: in.LaunchID,
	}
	deliveries, err := s.Store.Deliveries(ctx, user(ctx).ID, in.ID, filter, page)
	if err != nil {
		return nil, err
	}
	filters := url.Values{"status": {in.Status}, "channel": {in.Channel}, "launchId": {in.LaunchID}}
	return listed(in.PageInput, "/api/campaign/"+in.ID+"/deliveries", filters, deliveries, func(d fanfare.Delivery) fanfare.Position {
		return fanfare.Position{CreatedAt: d.CreatedAt, ID: d.ID}
	}), nil
}
