-- +goose Up
-- Counts the changes of a user's brand kits, in the transaction that makes
-- them: what is cached under an earlier number can't be read any more.
ALTER TABLE users ADD COLUMN brand_version bigint NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE users DROP COLUMN brand_version;
