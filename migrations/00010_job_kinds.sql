-- +goose Up
-- For lists of one kind of job. Without it such a list read its way through
-- all of the user's jobs, or of everybody's, to the few of a rare kind.
CREATE INDEX jobs_list_by_kind ON jobs (user_id, kind, created_at, id);

-- +goose Down
DROP INDEX jobs_list_by_kind;
