-- +goose Up
-- Who may use the console. A user belongs to one account.
CREATE TABLE console_users (
    id         TEXT    PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    password   TEXT    NOT NULL,           -- Argon2id
    totp       BYTEA    NOT NULL,           -- sealed
    totp_step  BIGINT NOT NULL DEFAULT 0, -- the last one that was used
    created_at BIGINT NOT NULL,
    CONSTRAINT console_users_name_key UNIQUE (name)
);

-- One-time links. hash is of the token.
CREATE TABLE console_invites (
    hash       BYTEA    PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    role       TEXT    NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);

-- Somebody at a browser. user_id is NULL for one that a link alone let in; role
-- counts only then.
CREATE TABLE console_sessions (
    hash       BYTEA    PRIMARY KEY,
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    user_id    TEXT    REFERENCES console_users (id),
    role       TEXT    NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    proved_at  BIGINT
);
CREATE INDEX console_sessions_user_idx ON console_sessions (user_id);

-- Tries to give a password since the last right one. key is a keyed hash of the
-- name, whether a user has it or not.
CREATE TABLE console_tries (
    key          BYTEA    PRIMARY KEY,
    tries        BIGINT NOT NULL,
    last_at      BIGINT NOT NULL,
    locked_until BIGINT NOT NULL
);
CREATE INDEX console_tries_last_idx ON console_tries (last_at);

-- What the sandbox carrier is to do with the next messages to a recipient.
CREATE TABLE sandbox_orders (
    account_id    BIGINT NOT NULL REFERENCES accounts (id),
    recipient_key BYTEA    NOT NULL,
    does          BIGINT NOT NULL,
    created_at    BIGINT NOT NULL,
    CONSTRAINT sandbox_orders_pkey PRIMARY KEY (account_id, recipient_key)
);

-- As in 0004_policies.sql.

ALTER TABLE console_users ENABLE ROW LEVEL SECURITY;
ALTER TABLE console_users FORCE ROW LEVEL SECURITY;
CREATE POLICY console_users_account ON console_users USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE console_invites ENABLE ROW LEVEL SECURITY;
ALTER TABLE console_invites FORCE ROW LEVEL SECURITY;
CREATE POLICY console_invites_account ON console_invites USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE console_sessions ENABLE ROW LEVEL SECURITY;
ALTER TABLE console_sessions FORCE ROW LEVEL SECURITY;
CREATE POLICY console_sessions_account ON console_sessions USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));

ALTER TABLE sandbox_orders ENABLE ROW LEVEL SECURITY;
ALTER TABLE sandbox_orders FORCE ROW LEVEL SECURITY;
CREATE POLICY sandbox_orders_account ON sandbox_orders USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));
