-- +goose Up
-- What lists of everybody's records ask for. Those by time alone, and those who
-- walk through the whole trail, read the primary key, which needs no index more.
ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_pkey, ADD PRIMARY KEY (created_at, id);
CREATE INDEX audit_logs_action ON audit_logs (action, created_at, id);
CREATE INDEX audit_logs_failed ON audit_logs (status, created_at, id) WHERE status = 'failure';

-- +goose Down
DROP INDEX audit_logs_failed;
DROP INDEX audit_logs_action;
ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_pkey, ADD PRIMARY KEY (id, created_at);
