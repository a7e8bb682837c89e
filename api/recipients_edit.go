package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"fanfare"
)

// recipientLists are the lists that a patch puts in place of a campaign's, by
// channel; a channel that it leaves alone is not in it.
type recipientLists map[fanfare.Channel][]fanfare.Recipient

// takeRecipients takes the lists out of a patched audience and leaves the
// counts that stood there: addresses never lie in an audience. A count that is
// sent back changes nothing, and what a patch took away becomes an empty list.
func takeRecipients(audience json.RawMessage, counts fanfare.RecipientCounts) (json.RawMessage, recipientLists, error) {
	var parts map[string]json.RawMessage
	if len(audience) > 0 && json.Unmarshal(audience, &parts) != nil {
		return audience, nil, nil // no object, which is refused later
	}
	given := map[string]json.RawMessage{}
	if raw, there := parts["recipients"]; there && json.Unmarshal(raw, &given) != nil {
		return nil, nil, fanfare.Invalid("audience.recipients", "must be an object with lists of addresses under email and sms")
	}
	lists, err := readLists(given, counts)
	if err != nil {
		return nil, nil, err
	}
	delete(parts, "recipients")
	if counts.Total() > 0 {
		parts = withPart(parts, "recipients", counts)
	}
	rest, err := json.Marshal(parts)
	return rest, lists, err
}

func withPart(parts map[string]json.RawMessage, name string, value any) map[string]json.RawMessage {
	if parts == nil {
		parts = map[string]json.RawMessage{}
	}
	parts[name], _ = json.Marshal(value) // numbers always encode
	return parts
}

func readLists(given map[string]json.RawMessage, counts fanfare.RecipientCounts) (recipientLists, error) {
	lists := recipientLists{}
	for name := range given {
		if !fanfare.HasRecipients(fanfare.Channel(name)) {
			return nil, fanfare.Invalid("audience.recipients."+name, "is no channel that has recipients; email and sms are")
		}
	}
	for _, channel := range fanfare.Channels() {
		raw, there := given[string(channel)]
		switch {
		case !there || string(raw) == "null":
			if counts.Of(channel) > 0 {
				lists[channel] = nil
			}
		case isCount(raw, counts.Of(channel)):
		default:
			list, err := readList(channel, raw)
			if err != nil {
				return nil, err
			}
			lists[channel] = list
		}
	}
	return lists, nil
}

func isCount(raw json.RawMessage, count int) bool {
	var n float64
	return json.Unmarshal(raw, &n) == nil && n == float64(count)
}

func readList(channel fanfare.Channel, raw json.RawMessage) ([]fanfare.Recipient, error) {
	field := "audience.recipients." + string(channel)
	var entries []any
	if !bytes.HasPrefix(raw, []byte("[")) || json.Unmarshal(raw, &entries) != nil {
		return nil, fanfare.Invalid(field, "must be a list of addresses, or null for none")
	}
	list := make([]fanfare.Recipient, len(entries))
	for i, entry := range entries {
		text, ok := entry.(string)
		if !ok {
			return nil, fanfare.Invalid(fmt.Sprintf("%s[%d]", field, i), "must be a string")
		}
		address, err := fanfare.ParseRecipient(string(channel), text)
		if err != nil {
			return nil, fanfare.Invalid(fmt.Sprintf("%s[%d]", field, i), "%s", err)
		}
		list[i] = fanfare.Recipient{Channel: channel, Address: address}
	}
	return list, nil
}

// stagedRecipients is a list that is ready to take the place of base.
type stagedRecipients struct {
	base, list string // "" for none
	counts     fanfare.RecipientCounts
}

// stageRecipients makes the list that a patch asks for, in small transactions
// before the one that edits the campaign; nil if it leaves the recipients alone.
func (s *Server) stageRecipients(ctx context.Context, campaignID string, patch []byte) (*stagedRecipients, error) {
	// The list before its counts: what changes in between is noticed.
	base, err := s.Store.RecipientList(ctx, user(ctx).ID, campaignID)
	if err != nil {
		return nil, err
	}
	campaign, err := s.Store.Campaign(ctx, user(ctx).ID, campaignID)
	if err != nil {
		return nil, err
	}
	if err := idle(campaign); err != nil {
		return nil, err
	}
	lists, err := s.edit(&campaign, patch)
	if err != nil || len(lists) == 0 {
		return nil, err
	}
	staged := &stagedRecipients{base: base}
	if staged.list, err = s.Store.NewRecipientList(ctx, campaignID); err != nil {
		return nil, err
	}
	for _, channel := range fanfare.Channels() {
		if err := s.stageChannel(ctx, staged, lists, channel); err != nil {
			return nil, err
		}
	}
	if staged.counts.Total() == 0 {
		staged.list = ""
	}
	return staged, nil
}

func (s *Server) stageChannel(ctx context.Context, staged *stagedRecipients, lists recipientLists, channel fanfare.Channel) error {
	list, replaced := lists[channel]
	if !replaced && staged.base != "" && fanfare.HasRecipients(channel) {
		copied, err := s.Store.CopyRecipients(ctx, staged.base, staged.list, channel)
		staged.counts.Add(channel, copied)
		return err
	}
	for batch := range slices.Chunk(list, recipientBatch) {
		added, err := s.Store.AddRecipients(ctx, staged.list, batch)
		if err != nil {
			return err
		}
		staged.counts.Add(channel, added.Of(channel))
	}
	return nil
}

// useStaged gives a campaign that nobody else can change now the list that was
// made for it, if that was made from what still stands.
func (s *Server) useStaged(ctx context.Context, campaign fanfare.Campaign, lists recipientLists, staged *stagedRecipients) (fanfare.Campaign, error) {
	if staged == nil && len(lists) == 0 {
		return campaign, nil
	}
	base, err := s.Store.RecipientList(ctx, campaign.UserID, campaign.ID)
	if err != nil {
		return campaign, err
	}
	if staged == nil || staged.base != base {
		return campaign, fanfare.Errorf(fanfare.CodeCampaignBusy,
			"The campaign's recipients were changed at the same time, and your edit was not made. Look at them and try again.")
	}
	if campaign, err = s.Store.UseRecipients(ctx, campaign.UserID, campaign.ID, staged.list, staged.counts); err != nil {
		return campaign, err
	}
	return campaign, s.Store.Audit(ctx, auditedRecipients(ctx, campaign.ID, staged.counts))
}
