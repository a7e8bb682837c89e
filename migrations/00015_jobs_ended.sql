-- +goose Up
-- What operators ask for first: everybody's jobs that ended badly. The index is
-- small, and written only when a job does.
CREATE INDEX jobs_ended_badly ON jobs (status, finished_at) WHERE status IN ('failed', 'canceled', 'expired');
-- And those of one kind.
CREATE INDEX jobs_by_kind ON jobs (kind, id);

-- +goose Down
DROP INDEX jobs_by_kind;
DROP INDEX jobs_ended_badly;
