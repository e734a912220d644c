-- +goose Up
-- What the sandbox carriers received. id is the delivery's dedupe reference;
-- body is sealed. seq rises with created_at.
CREATE TABLE sandbox_messages (
    seq           INTEGER PRIMARY KEY,
    account_id    INTEGER NOT NULL REFERENCES accounts (id),
    id            BLOB    NOT NULL,
    otp_id        BLOB    NOT NULL,
    recipient_key BLOB    NOT NULL,
    created_at    INTEGER NOT NULL,
    body          BLOB    NOT NULL,
    CONSTRAINT sandbox_messages_id_key UNIQUE (account_id, otp_id, id)
) STRICT;
CREATE INDEX sandbox_messages_account_idx ON sandbox_messages (account_id);
CREATE INDEX sandbox_messages_recipient_idx ON sandbox_messages (recipient_key);

-- The double of WhatsApp: one row per language. folded is the name without
-- letter case. Status and wording follow from the times.
CREATE TABLE sandbox_templates (
    seq           INTEGER PRIMARY KEY,
    account_id    INTEGER NOT NULL REFERENCES accounts (id),
    ref           TEXT    NOT NULL,
    name          TEXT    NOT NULL,
    folded        TEXT    NOT NULL,
    language      TEXT    NOT NULL,
    one_tap       INTEGER NOT NULL,
    advice        INTEGER NOT NULL,
    minutes       INTEGER NOT NULL,
    copy_text     TEXT    NOT NULL,
    autofill_text TEXT    NOT NULL,
    package_name  TEXT    NOT NULL,
    signature     TEXT    NOT NULL,
    created_at    INTEGER NOT NULL,
    deleted_at    INTEGER,
    CONSTRAINT sandbox_templates_name_key UNIQUE (account_id, ref, folded, language)
) STRICT;
