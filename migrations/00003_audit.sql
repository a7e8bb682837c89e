-- +goose Up
-- Records outlive what they tell of, so user_id references nothing. position
-- is the writing transaction: a reader that stops before the oldest one still
-- running misses no record that commits late.
CREATE TABLE audit_logs (
    id         uuid NOT NULL DEFAULT uuidv7(),
    user_id    uuid,
    action     text NOT NULL,
    resource   text,
    metadata   jsonb NOT NULL DEFAULT '{}',
    ip_address text,
    user_agent text,
    status     text NOT NULL DEFAULT 'success' CHECK (status IN ('success', 'failure')),
    position   xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id, created_at)
) PARTITION BY RANGE (created_at);
CREATE INDEX audit_logs_user ON audit_logs (user_id, created_at, id);
CREATE INDEX audit_logs_action ON audit_logs (action, created_at);
CREATE INDEX audit_logs_time ON audit_logs (created_at, id);

-- Nothing is ever refused for want of a month's partition.
CREATE TABLE audit_logs_rest PARTITION OF audit_logs DEFAULT;

-- +goose StatementBegin
-- Makes the partitions of this month and the given number of months after it;
-- those that are there already are left alone. Records that came before their
-- month's partition lie in the rest and move: PostgreSQL would refuse it else.
CREATE FUNCTION ensure_audit_months(ahead int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    month  date := date_trunc('month', now() AT TIME ZONE 'UTC');
    name   text;
    since  text;
    until  text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('ensure_audit_months'));
    FOR i IN 0..ahead LOOP
        name := 'audit_logs_' || to_char(month, 'YYYY_MM');
        since := month || ' 00:00:00+00';
        month := month + interval '1 month';
        until := month || ' 00:00:00+00';
        IF to_regclass(name) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE audit_logs INCLUDING ALL)', name);
            EXECUTE format('WITH early AS (DELETE FROM audit_logs_rest WHERE created_at >= %L AND created_at < %L RETURNING *)
                INSERT INTO %I SELECT * FROM early', since, until, name);
            EXECUTE format('ALTER TABLE audit_logs ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                name, since, until);
        END IF;
    END LOOP;
END
$$;
-- +goose StatementEnd

SELECT ensure_audit_months(3);

-- +goose Down
DROP TABLE audit_logs;
DROP FUNCTION ensure_audit_months(int);
