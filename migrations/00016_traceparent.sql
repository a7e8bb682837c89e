-- +goose Up
-- Which trace a job belongs to (W3C Trace Context): each attempt is a part of
-- the request that submitted it, whatever carried its task.
ALTER TABLE jobs ADD COLUMN traceparent text;

-- +goose Down
ALTER TABLE jobs DROP COLUMN traceparent;
