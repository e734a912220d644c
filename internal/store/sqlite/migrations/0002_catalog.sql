-- +goose Up
-- What accounts configure. Ids are lower-case text; seq is the order of
-- lists.

CREATE TABLE templates (
    seq        INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    id         TEXT    NOT NULL,
    channel    TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    language   TEXT    NOT NULL,
    message    TEXT    NOT NULL,
    minutes    INTEGER NOT NULL,
    CONSTRAINT templates_id_key UNIQUE (account_id, id),
    CONSTRAINT templates_name_key UNIQUE (account_id, channel, name)
) STRICT;

CREATE TABLE profiles (
    seq          INTEGER PRIMARY KEY,
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    id           TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    alphanumeric INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    code_length  INTEGER NOT NULL,
    CONSTRAINT profiles_id_key UNIQUE (account_id, id),
    CONSTRAINT profiles_name_key UNIQUE (account_id, name)
) STRICT;

-- Links name their template and outlive it.
CREATE TABLE profile_links (
    account_id INTEGER NOT NULL,
    profile_id TEXT    NOT NULL,
    position   INTEGER NOT NULL,
    channel    TEXT    NOT NULL,
    template   TEXT    NOT NULL,
    language   TEXT    NOT NULL,
    CONSTRAINT profile_links_pkey PRIMARY KEY (account_id, profile_id, position),
    CONSTRAINT profile_links_language_key UNIQUE (account_id, profile_id, channel, language)
) STRICT, WITHOUT ROWID;
CREATE INDEX profile_links_template_idx ON profile_links (account_id, channel, template);

-- channels is JSON.
CREATE TABLE priorities (
    seq        INTEGER PRIMARY KEY,
    account_id INTEGER NOT NULL REFERENCES accounts (id),
    id         TEXT    NOT NULL,
    name       TEXT    NOT NULL,
    channels   TEXT    NOT NULL,
    CONSTRAINT priorities_id_key UNIQUE (account_id, id),
    CONSTRAINT priorities_name_key UNIQUE (account_id, name)
) STRICT;

-- headers, secret and previous_secret are sealed. The queue is in callbacks.
CREATE TABLE callback_configs (
    seq             INTEGER PRIMARY KEY,
    account_id      INTEGER NOT NULL REFERENCES accounts (id),
    id              TEXT    NOT NULL,
    url             TEXT    NOT NULL,
    profile_id      TEXT    NOT NULL DEFAULT '',
    headers         BLOB,
    secret          BLOB    NOT NULL,
    previous_secret BLOB,
    previous_until  INTEGER NOT NULL DEFAULT 0,
    CONSTRAINT callback_configs_id_key UNIQUE (account_id, id)
) STRICT;

CREATE TABLE whatsapp_accounts (
    account_id INTEGER PRIMARY KEY REFERENCES accounts (id),
    ref        TEXT    NOT NULL
) STRICT;

-- texts is JSON; life is in microseconds.
CREATE TABLE applications (
    seq          INTEGER PRIMARY KEY,
    account_id   INTEGER NOT NULL REFERENCES accounts (id),
    id           TEXT    NOT NULL,
    is_default   INTEGER NOT NULL,
    name         TEXT    NOT NULL,
    code_length  INTEGER NOT NULL,
    alphanumeric INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    life         INTEGER NOT NULL,
    texts        TEXT    NOT NULL,
    sender       TEXT    NOT NULL,
    caller       TEXT    NOT NULL,
    alias        INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    CONSTRAINT applications_id_key UNIQUE (account_id, id),
    CONSTRAINT applications_name_key UNIQUE (account_id, name)
) STRICT;
CREATE UNIQUE INDEX applications_default_key ON applications (account_id) WHERE is_default = 1;
CREATE UNIQUE INDEX applications_alias_key ON applications (account_id, alias) WHERE alias <> 0;
