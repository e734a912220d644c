-- +goose Up
-- Times are Unix microseconds. Ids in hot tables are BLOBs (codec.go).

CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value ANY NOT NULL
) STRICT, WITHOUT ROWID;

-- Numbers that changes raise, so that processes know when to read anew.
CREATE TABLE versions (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO versions (name, value) VALUES ('access', 1);

CREATE TABLE accounts (
    id              INTEGER PRIMARY KEY,
    name            TEXT    NOT NULL UNIQUE,
    created_at      INTEGER NOT NULL,
    suspended_at    INTEGER,
    settings        TEXT    NOT NULL DEFAULT '{}',
    catalog_version INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE api_keys (
    id         TEXT    PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    name       TEXT    NOT NULL DEFAULT '',
    login      TEXT,
    throttle   INTEGER NOT NULL DEFAULT 0,
    hash       BLOB    NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
) STRICT;
CREATE INDEX api_keys_account_idx ON api_keys (account_id, created_at);
CREATE INDEX api_keys_login_idx ON api_keys (login) WHERE login IS NOT NULL;

-- seq is internal and never leaves the server: it keeps what belongs to one
-- OTP, and OTPs of one time, together on disk.
CREATE TABLE otps (
    seq            INTEGER PRIMARY KEY,
    account_id     INTEGER NOT NULL,
    id             BLOB    NOT NULL,
    origin         TEXT    NOT NULL,
    state          INTEGER NOT NULL,
    allowed        INTEGER NOT NULL,
    attempts       INTEGER NOT NULL DEFAULT 0,
    end_seen       INTEGER NOT NULL DEFAULT 0,
    form           INTEGER NOT NULL,
    code_length    INTEGER NOT NULL,
    bound          INTEGER NOT NULL,
    resendable     INTEGER NOT NULL,
    limited        INTEGER NOT NULL,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    ended_at       INTEGER,
    life           INTEGER NOT NULL,
    key_id         INTEGER NOT NULL,
    digest         BLOB    NOT NULL,
    recipient      TEXT    NOT NULL,
    recipient_key  BLOB    NOT NULL,
    profile_id     BLOB,
    application_id BLOB,
    reference      TEXT,
    plan           TEXT    NOT NULL,
    CONSTRAINT otps_verified_in_time CHECK (state <> 2 OR ended_at < expires_at)
) STRICT;
CREATE UNIQUE INDEX otps_id_key ON otps (account_id, id);
CREATE INDEX otps_recipient_idx ON otps (account_id, recipient_key, seq);
CREATE INDEX otps_account_idx ON otps (account_id, seq);
CREATE INDEX otps_open_idx ON otps (expires_at) WHERE state = 1;

-- The delivery is the job. A lease moves due_at to its end. sealed holds the
-- code only while something may still be sent.
CREATE TABLE deliveries (
    account_id INTEGER NOT NULL,
    otp        INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    step       INTEGER NOT NULL,
    next_step  INTEGER NOT NULL,
    tries      INTEGER NOT NULL DEFAULT 0,
    reported   INTEGER NOT NULL DEFAULT 0,
    queued_at  INTEGER NOT NULL,
    due_at     INTEGER,
    lease_node TEXT,
    dedupe     BLOB    NOT NULL,
    sender     TEXT,
    carrier    TEXT,
    ref        TEXT,
    sealed     BLOB,
    CONSTRAINT deliveries_pkey PRIMARY KEY (account_id, otp, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_due_idx ON deliveries (state, due_at) WHERE due_at IS NOT NULL;
-- Receipts find their delivery, those that repeat what is known too.
CREATE INDEX deliveries_ref_idx ON deliveries (ref, carrier) WHERE ref IS NOT NULL;

CREATE TABLE events (
    account_id   INTEGER NOT NULL,
    otp          INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    at           INTEGER NOT NULL,
    kind         INTEGER NOT NULL,
    delivery     INTEGER NOT NULL DEFAULT 0,
    channel      TEXT,
    carrier      TEXT,
    failure_area TEXT,
    failure_code TEXT,
    failure_text TEXT,
    CONSTRAINT events_pkey PRIMARY KEY (account_id, otp, seq)
) STRICT, WITHOUT ROWID;

-- What limits remember of a recipient. It outlives the OTPs it counted.
CREATE TABLE tallies (
    account_id    INTEGER NOT NULL,
    recipient_key BLOB    NOT NULL,
    sends         BLOB    NOT NULL,
    failures      BLOB    NOT NULL,
    consecutive   INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    CONSTRAINT tallies_pkey PRIMARY KEY (account_id, recipient_key)
) STRICT, WITHOUT ROWID;

-- Answers to repeat; result is the core's, never a code.
CREATE TABLE idempotency (
    account_id  INTEGER NOT NULL,
    key         BLOB    NOT NULL,
    fingerprint BLOB    NOT NULL,
    result      TEXT    NOT NULL,
    created_at  INTEGER NOT NULL,
    CONSTRAINT idempotency_pkey PRIMARY KEY (account_id, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX idempotency_created_idx ON idempotency (created_at);

-- The outbox of events to push. due_at is NULL in dead letters; a lease moves
-- it to its end.
CREATE TABLE callbacks (
    seq          INTEGER PRIMARY KEY,
    id           BLOB    NOT NULL,
    account_id   INTEGER NOT NULL,
    config_id    TEXT    NOT NULL,
    otp          INTEGER NOT NULL,
    event_seq    INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    due_at       INTEGER,
    lease_node   TEXT,
    created_at   INTEGER NOT NULL,
    dead_at      INTEGER,
    last_status  INTEGER NOT NULL DEFAULT 0,
    last_problem TEXT    NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX callbacks_dead_idx ON callbacks (dead_at) WHERE due_at IS NULL;
CREATE UNIQUE INDEX callbacks_id_key ON callbacks (id);
CREATE INDEX callbacks_due_idx ON callbacks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX callbacks_order_idx ON callbacks (account_id, otp, config_id, event_seq);
-- Claims go from configuration to configuration, each by due time.
CREATE INDEX callbacks_config_idx ON callbacks (account_id, config_id, due_at);
CREATE INDEX callbacks_lease_idx ON callbacks (lease_node) WHERE lease_node IS NOT NULL;

CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    entry      TEXT    NOT NULL,
    link       BLOB    NOT NULL
) STRICT;
