-- +goose Up
-- Positions count the transactions of one server. A copy of the data that was
-- restored on another one holds positions that mean nothing there; the row says
-- which server they are of.
CREATE TABLE database_origin (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    server text NOT NULL
);

-- +goose StatementBegin
CREATE FUNCTION database_server() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT system_identifier::text FROM pg_control_system()
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- Gives all positions anew where the data comes from another server. Within a
-- job events keep their order, which is by sequence.
CREATE FUNCTION adopt_database() RETURNS void LANGUAGE plpgsql AS $$
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

SELECT adopt_database();

-- +goose Down
DROP FUNCTION adopt_database();
DROP FUNCTION database_server();
DROP TABLE database_origin;
