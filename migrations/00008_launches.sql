-- +goose Up
-- credentials are sealed under the key that key_id names, for this row and its
-- user only. next_send_at is when the next message may go out, over all
-- workers; the provider or the user set the rate.
CREATE TABLE integrations (
    id                uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id           uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name              text NOT NULL,
    type              text NOT NULL CHECK (type IN ('email', 'social', 'ppc', 'sms')),
    status            text NOT NULL DEFAULT 'disconnected' CHECK (status IN ('disconnected', 'connected', 'error')),
    last_sync         timestamptz,
    credential_fields text[] NOT NULL,
    key_id            text NOT NULL,
    credentials       bytea NOT NULL,
    next_send_at      timestamptz NOT NULL DEFAULT '-infinity',
    created_at        timestamptz NOT NULL DEFAULT now(),
    updated_at        timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT integrations_once UNIQUE (user_id, name, type)
);
CREATE INDEX integrations_list ON integrations (user_id, created_at, id);
CREATE INDEX integrations_keys ON integrations (key_id, id);

-- A list is filled in small steps and then becomes its campaign's in one
-- update. What no campaign refers to is pruned; campaign_id references nothing,
-- since deleting a campaign must not delete a million rows at once.
CREATE TABLE recipient_lists (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),
    campaign_id uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX recipient_lists_age ON recipient_lists (created_at);

CREATE TABLE recipients (
    list_id uuid NOT NULL,
    channel text NOT NULL CHECK (channel IN ('email', 'sms')),
    address text NOT NULL,
    PRIMARY KEY (list_id, channel, address)
);
ALTER TABLE campaigns ADD COLUMN recipient_list uuid;
CREATE UNIQUE INDEX campaigns_recipient_list ON campaigns (recipient_list) WHERE recipient_list IS NOT NULL;

-- Who said once that nothing more shall come from this user.
CREATE TABLE suppressions (
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    channel    text NOT NULL,
    address    text NOT NULL,
    reason     text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, channel, address)
);

CREATE TABLE launches (
    id           uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id      uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    campaign_id  uuid NOT NULL,
    channels     text[] NOT NULL,
    integrations jsonb NOT NULL DEFAULT '{}',
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX launches_campaign ON launches (campaign_id);
CREATE INDEX launches_user ON launches (user_id);
CREATE INDEX launches_age ON launches (created_at);

-- What a launch uses on a channel, fixed at its first attempt: who takes the
-- messages, and the list of recipients, which is copied up to planned_to.
CREATE TABLE launch_channels (
    launch_id      uuid NOT NULL REFERENCES launches ON DELETE CASCADE,
    channel        text NOT NULL,
    integration_id uuid NOT NULL,
    planned        boolean NOT NULL DEFAULT false,
    PRIMARY KEY (launch_id, channel)
);

-- The ledger. A row is sending, committed, before the provider is asked; lease
-- is the token of the attempt that does it. recipient is '' where the provider
-- knows the recipients.
CREATE TABLE deliveries (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),
    launch_id   uuid NOT NULL REFERENCES launches ON DELETE CASCADE,
    campaign_id uuid NOT NULL,
    user_id     uuid NOT NULL,
    channel     text NOT NULL,
    recipient   text NOT NULL,
    status      text NOT NULL DEFAULT 'pending' CHECK (status IN
        ('pending', 'sending', 'sent', 'failed', 'unknown', 'skipped')),
    lease       uuid,
    provider_id text,
    error       text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT deliveries_once UNIQUE (launch_id, channel, recipient)
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX deliveries_unsent ON deliveries (launch_id, channel, id) WHERE status = 'pending';
CREATE INDEX deliveries_in_flight ON deliveries (launch_id, channel, id) WHERE status = 'sending';
CREATE INDEX deliveries_unsettled ON deliveries (launch_id, id) WHERE status IN ('failed', 'unknown');
CREATE INDEX deliveries_list ON deliveries (campaign_id, created_at, id);
CREATE INDEX deliveries_list_by_launch ON deliveries (launch_id, created_at, id);
CREATE INDEX deliveries_list_by_status ON deliveries (campaign_id, status, created_at, id);

-- +goose Down
DROP TABLE deliveries;
DROP TABLE launch_channels;
DROP TABLE launches;
DROP TABLE suppressions;
ALTER TABLE campaigns DROP COLUMN recipient_list;
DROP TABLE recipients;
DROP TABLE recipient_lists;
DROP TABLE integrations;
