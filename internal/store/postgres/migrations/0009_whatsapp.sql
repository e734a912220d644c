-- +goose Up
-- What the server keeps of templates that WhatsApp itself holds: how they were
-- submitted or first seen, and that they were deleted. ref is WhatsApp's id of
-- the account, folded the name in lower case, note JSON.
CREATE TABLE whatsapp_notes (
    account_id BIGINT NOT NULL REFERENCES accounts (id),
    ref        TEXT   NOT NULL,
    folded     TEXT   NOT NULL,
    language   TEXT   NOT NULL,
    note       TEXT   NOT NULL,
    CONSTRAINT whatsapp_notes_pkey PRIMARY KEY (account_id, ref, folded, language)
);

ALTER TABLE whatsapp_notes ENABLE ROW LEVEL SECURITY;
ALTER TABLE whatsapp_notes FORCE ROW LEVEL SECURITY;
CREATE POLICY whatsapp_notes_account ON whatsapp_notes USING (
    coalesce((SELECT current_setting('countersign.account', true)), '') = ''
    OR account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint));
