-- +goose Up
-- What operators ask for first: everybody's jobs that ended badly. The index is
-- small, and written only when a job does.
CREATE INDEX jobs_ended_badly ON jobs (status, id) WHERE status IN ('failed', 'canceled', 'expired');

-- +goose Down
DROP INDEX jobs_ended_badly;
