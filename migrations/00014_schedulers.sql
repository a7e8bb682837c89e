-- +goose Up
-- One row per scheduler process, renewed by its pulse; as workers is.
CREATE TABLE schedulers (
    id         text PRIMARY KEY,
    started_at timestamptz NOT NULL DEFAULT now(),
    seen_at    timestamptz NOT NULL DEFAULT now()
);

-- +goose Down
DROP TABLE schedulers;
