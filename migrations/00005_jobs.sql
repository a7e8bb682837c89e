-- +goose Up
-- The queue's outbox, its state machine and its dead-letter list in one.
--   lease_token, lease_expires_at  who runs it now; the token fences every write
--   dispatch, relay_at             the number of its task, and when the relay looks at it next
--   sequence, last_position        of its latest event
--   settles                        campaign status by final status of the job
--   exclusive                      one unfinished job per value
-- campaign_id references nothing: a job stays readable when its campaign is gone.
CREATE TABLE jobs (
    id               uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id          uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    campaign_id      uuid,
    kind             text NOT NULL,
    queue            text NOT NULL,
    status           text NOT NULL DEFAULT 'queued' CHECK (status IN
        ('scheduled', 'queued', 'running', 'retrying', 'succeeded', 'failed', 'canceled', 'expired')),
    payload          jsonb NOT NULL,
    attempt          int NOT NULL DEFAULT 0,
    max_attempts     int NOT NULL,
    losses           int NOT NULL DEFAULT 0,
    lease_token      uuid,
    lease_expires_at timestamptz,
    cancel_requested boolean NOT NULL DEFAULT false,
    progress         jsonb NOT NULL DEFAULT '{"step": "", "completed": 0, "total": 0}',
    input_tokens     bigint NOT NULL DEFAULT 0,
    output_tokens    bigint NOT NULL DEFAULT 0,
    cost_usd         numeric(18, 9),
    model            text NOT NULL DEFAULT '',
    result           jsonb,
    error            jsonb,
    retry_of         uuid,
    settles          jsonb NOT NULL DEFAULT '{}',
    exclusive        text,
    dispatch         int NOT NULL DEFAULT 1,
    relay_at         timestamptz NOT NULL,
    run_at           timestamptz,
    sequence         bigint NOT NULL DEFAULT 1,
    last_position    xid8 NOT NULL DEFAULT pg_current_xact_id(),
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    started_at       timestamptz,
    finished_at      timestamptz,
    deadline         timestamptz NOT NULL,
    CHECK ((lease_token IS NOT NULL) = (status = 'running')),
    CHECK ((lease_expires_at IS NOT NULL) = (status = 'running')),
    CHECK ((finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'canceled', 'expired'))),
    CHECK ((result IS NOT NULL) = (status = 'succeeded')),
    CHECK ((error IS NOT NULL) = (status IN ('failed', 'canceled', 'expired')))
) WITH (fillfactor = 85, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX jobs_list ON jobs (user_id, created_at, id);
CREATE INDEX jobs_list_by_status ON jobs (user_id, status, created_at, id);
CREATE INDEX jobs_campaign ON jobs (campaign_id, created_at, id);
CREATE INDEX jobs_unfinished ON jobs (user_id, id) WHERE finished_at IS NULL;
CREATE INDEX jobs_relay ON jobs (relay_at) WHERE status IN ('scheduled', 'queued', 'retrying');
CREATE INDEX jobs_leases ON jobs (lease_expires_at) WHERE status = 'running';
CREATE INDEX jobs_deadlines ON jobs (deadline) WHERE status IN ('scheduled', 'queued', 'retrying');
CREATE INDEX jobs_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;
CREATE UNIQUE INDEX jobs_exclusive ON jobs (exclusive) WHERE finished_at IS NULL;

CREATE TABLE job_steps (
    job_id     uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    name       text NOT NULL,
    output     jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, name)
);

-- data is the job's row as it stood then, less what only workers need.
-- position orders events over all jobs: never below the job's earlier ones,
-- and none below the oldest running transaction can still appear.
CREATE TABLE job_events (
    job_id     uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    sequence   bigint NOT NULL,
    type       text NOT NULL,
    data       jsonb NOT NULL,
    user_id    uuid NOT NULL,
    position   xid8 NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (job_id, sequence)
);
CREATE INDEX job_events_stream ON job_events (user_id, position, job_id, sequence);

-- +goose StatementBegin
CREATE FUNCTION job_snapshot(job jobs) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT to_jsonb(job) - ARRAY['payload', 'lease_token', 'lease_expires_at', 'settles', 'exclusive', 'relay_at', 'last_position']
$$;
-- +goose StatementEnd

-- One row per worker process, renewed by its heartbeat.
CREATE TABLE workers (
    id         text PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE workers;
DROP FUNCTION job_snapshot(jobs);
DROP TABLE job_events;
DROP TABLE job_steps;
DROP TABLE jobs;
