-- +goose Up
-- Who may use the console. A user belongs to one account.
CREATE TABLE console_users (
    id         TEXT    PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    name       TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    password   TEXT    NOT NULL,           -- Argon2id
    totp       BLOB    NOT NULL,           -- sealed
    totp_step  INTEGER NOT NULL DEFAULT 0, -- the last one that was used
    created_at INTEGER NOT NULL,
    CONSTRAINT console_users_name_key UNIQUE (name)
) STRICT;

-- One-time links. hash is of the token.
CREATE TABLE console_invites (
    hash       BLOB    PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    role       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Somebody at a browser. user_id is NULL for one that a link alone let in; role
-- counts only then.
CREATE TABLE console_sessions (
    hash       BLOB    PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    user_id    TEXT    REFERENCES console_users (id),
    role       TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    proved_at  INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX console_sessions_user_idx ON console_sessions (user_id);

-- Tries to give a password since the last right one. key is a keyed hash of the
-- name, whether a user has it or not.
CREATE TABLE console_tries (
    key          BLOB    PRIMARY KEY,
    tries        INTEGER NOT NULL,
    last_at      INTEGER NOT NULL,
    locked_until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX console_tries_last_idx ON console_tries (last_at);

-- What the sandbox carrier is to do with the next messages to a recipient.
CREATE TABLE sandbox_orders (
    account_id    INTEGER NOT NULL REFERENCES accounts (id),
    recipient_key BLOB    NOT NULL,
    does          INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    CONSTRAINT sandbox_orders_pkey PRIMARY KEY (account_id, recipient_key)
) STRICT, WITHOUT ROWID;
