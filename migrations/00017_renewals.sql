-- +goose Up
-- renew_at is when the access token among the credentials is to be renewed; not
-- known before the first time. Until renewing_until one process asks the
-- provider for another, and nobody else does.
ALTER TABLE integrations
    ADD COLUMN renew_at       timestamptz,
    ADD COLUMN renewing_until timestamptz;

-- +goose Down
ALTER TABLE integrations DROP COLUMN renew_at, DROP COLUMN renewing_until;
