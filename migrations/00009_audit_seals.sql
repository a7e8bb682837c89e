-- +goose Up
-- What lists ask for: a user's records, all or of one action; what was refused,
-- of which there is little; and what happened to one thing. The sealer reads in
-- the order of settling.
DROP INDEX audit_logs_action;
DROP INDEX audit_logs_time;
CREATE INDEX audit_logs_user_action ON audit_logs (user_id, action, created_at, id);
CREATE INDEX audit_logs_refused ON audit_logs (user_id, created_at, id) WHERE status = 'failure';
CREATE INDEX audit_logs_resource ON audit_logs (resource, created_at, id);
CREATE INDEX audit_logs_settling ON audit_logs (position, id, created_at);
ALTER TABLE audit_logs ADD CHECK (isfinite(created_at));

-- The chain: a row for each sealed record, in the order that was fixed when it
-- was sealed. digest is of the record, hash is of all before it and this row.
CREATE TABLE audit_chain (
    sequence   bigint PRIMARY KEY,
    audit_id   uuid NOT NULL,
    created_at timestamptz NOT NULL,
    digest     bytea NOT NULL,
    hash       bytea NOT NULL,
    UNIQUE (audit_id, created_at)
);

-- The chain's end, and up to where in (position, id, created_at) all records
-- have been looked at: none can appear before that any more.
CREATE TABLE audit_head (
    single     boolean PRIMARY KEY DEFAULT true CHECK (single),
    sequence   bigint NOT NULL DEFAULT 0,
    hash       bytea NOT NULL DEFAULT decode(repeat('00', 32), 'hex'),
    settled    xid8 NOT NULL DEFAULT '0',
    settled_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    settled_at timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO audit_head DEFAULT VALUES;

-- The seals of months that have had their time: the part of the chain that went
-- with each, from after previous_hash up to last_hash.
CREATE TABLE audit_dropped_months (
    month          date PRIMARY KEY,
    records        bigint NOT NULL,
    first_sequence bigint NOT NULL,
    last_sequence  bigint NOT NULL,
    previous_hash  bytea NOT NULL,
    last_hash      bytea NOT NULL,
    dropped_at     timestamptz NOT NULL DEFAULT now()
);

-- +goose StatementBegin
-- As before; and since positions are given anew, the sealer starts over and
-- passes by what is sealed already.
CREATE OR REPLACE FUNCTION adopt_database() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO database_origin (server) VALUES (database_server()) ON CONFLICT (single) DO NOTHING;
    PERFORM 1 FROM database_origin WHERE server = database_server() FOR UPDATE;
    IF FOUND THEN
        RETURN;
    END IF;
    UPDATE job_events SET position = pg_current_xact_id();
    UPDATE jobs SET last_position = pg_current_xact_id();
    UPDATE audit_logs SET position = pg_current_xact_id();
    UPDATE audit_head SET settled = DEFAULT, settled_id = DEFAULT, settled_at = DEFAULT;
    UPDATE database_origin SET server = database_server();
END
$$;
-- +goose StatementEnd

-- +goose Down
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION adopt_database() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO database_origin (server) VALUES (database_server()) ON CONFLICT (single) DO NOTHING;
    PERFORM 1 FROM database_origin WHERE server = database_server() FOR UPDATE;
    IF FOUND THEN
        RETURN;
    END IF;
    UPDATE job_events SET position = pg_current_xact_id();
    UPDATE jobs SET last_position = pg_current_xact_id();
    UPDATE audit_logs SET position = pg_current_xact_id();
    UPDATE database_origin SET server = database_server();
END
$$;
-- +goose StatementEnd
DROP TABLE audit_dropped_months;
DROP TABLE audit_head;
DROP TABLE audit_chain;
ALTER TABLE audit_logs DROP CONSTRAINT audit_logs_created_at_check;
DROP INDEX audit_logs_settling;
DROP INDEX audit_logs_resource;
DROP INDEX audit_logs_refused;
DROP INDEX audit_logs_user_action;
CREATE INDEX audit_logs_action ON audit_logs (action, created_at);
CREATE INDEX audit_logs_time ON audit_logs (created_at, id);
