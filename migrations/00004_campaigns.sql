-- +goose Up
CREATE TABLE campaigns (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id     uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    goal        text NOT NULL,
    channels    text[] NOT NULL DEFAULT '{}',
    content     jsonb NOT NULL DEFAULT '{}',
    audience    jsonb NOT NULL DEFAULT '{}',
    budget      numeric(14, 2),
    schedule    jsonb,
    status      text NOT NULL DEFAULT 'draft' CHECK (status IN
        ('draft', 'generating', 'ready', 'launching', 'launched', 'partially_launched', 'failed')),
    metrics     jsonb NOT NULL DEFAULT '{}',
    intent      jsonb,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    launched_at timestamptz
);
CREATE INDEX campaigns_list ON campaigns (user_id, created_at, id);
CREATE INDEX campaigns_list_by_status ON campaigns (user_id, status, created_at, id);
CREATE INDEX campaigns_launched ON campaigns (launched_at) WHERE launched_at IS NOT NULL;

CREATE TABLE conversations (
    id         uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id    uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    metadata   jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX conversations_recent ON conversations (user_id, updated_at, id);

-- quoted: brought along by a client, so never to be given to a model as its
-- own words, whatever its role says.
CREATE TABLE conversation_messages (
    conversation_id uuid NOT NULL REFERENCES conversations ON DELETE CASCADE,
    sequence        bigint GENERATED ALWAYS AS IDENTITY,
    id              uuid NOT NULL DEFAULT uuidv7(),
    role            text NOT NULL CHECK (role IN ('user', 'assistant')),
    content         text NOT NULL,
    quoted          boolean NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (conversation_id, sequence)
);

CREATE TABLE brand_kits (
    id              uuid PRIMARY KEY DEFAULT uuidv7(),
    user_id         uuid NOT NULL REFERENCES users ON DELETE CASCADE,
    name            text NOT NULL,
    primary_color   text NOT NULL,
    secondary_color text NOT NULL,
    font_family     text NOT NULL,
    tone            text NOT NULL,
    "values"        text NOT NULL,
    logo_url        text,
    is_active       boolean NOT NULL DEFAULT true,
    created_at      timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX brand_kits_list ON brand_kits (user_id, created_at, id);
CREATE UNIQUE INDEX brand_kits_one_active ON brand_kits (user_id) WHERE is_active;

-- +goose Down
DROP TABLE brand_kits;
DROP TABLE conversation_messages;
DROP TABLE conversations;
DROP TABLE campaigns;
