-- +goose Up
-- A campaign's schedule. A new one of the same campaign takes its place under
-- a new id. next_at and next_local are the first occurrence that nobody has
-- looked after; an enabled schedule always has one. user_id is the owner of the
-- campaign, whose deletion deletes it.
CREATE TABLE schedules (
    id              uuid PRIMARY KEY DEFAULT uuidv7(),
    campaign_id     uuid NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    user_id         uuid NOT NULL,
    cron            text,
    run_at          timestamptz,
    timezone        text NOT NULL,
    channels        text[] NOT NULL DEFAULT '{}',
    misfire         text NOT NULL CHECK (misfire IN ('skip', 'run_once')),
    enabled         boolean NOT NULL DEFAULT true,
    reason          text,
    next_at         timestamptz,
    next_local      text,
    last_run        timestamptz,
    last_occurrence jsonb,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schedules_campaign UNIQUE (campaign_id),
    CHECK ((cron IS NULL) <> (run_at IS NULL)),
    CHECK (enabled = (next_at IS NOT NULL) AND enabled = (next_local IS NOT NULL) AND enabled = (reason IS NULL))
);
CREATE INDEX schedules_due ON schedules (next_at) WHERE enabled;
CREATE INDEX schedules_user ON schedules (user_id) WHERE enabled;

-- What became of each occurrence. That there can be one row only is what keeps
-- an occurrence from being launched twice. schedule_id references nothing:
-- deleting a campaign must not delete a row for each minute of a month.
CREATE TABLE schedule_occurrences (
    schedule_id uuid NOT NULL,
    local_time  text NOT NULL,
    at          timestamptz NOT NULL,
    outcome     text NOT NULL CHECK (outcome IN ('launched', 'skipped', 'missed')),
    reason      text,
    job_id      uuid,
    created_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT schedule_occurrences_once PRIMARY KEY (schedule_id, local_time)
);
CREATE INDEX schedule_occurrences_age ON schedule_occurrences (created_at);

ALTER TABLE campaigns DROP COLUMN schedule;

-- +goose Down
ALTER TABLE campaigns ADD COLUMN schedule jsonb;
DROP TABLE schedule_occurrences;
DROP TABLE schedules;
