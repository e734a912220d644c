-- +goose Up
-- When calls went to a recipient, which have limits of their own (L-04): 8 bytes
-- each, as in sends; NULL for none.
ALTER TABLE recipients ADD COLUMN calls BLOB;
DROP VIEW tallies;
CREATE VIEW tallies AS
    SELECT account_id, recipient_key, sends, failures, consecutive, updated_at, calls FROM recipients WHERE updated_at IS NOT NULL;

-- The version before runs on this schema too (D-11).
INSERT INTO meta (name, value) VALUES ('oldest_schema_that_may_run', 9)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;
INSERT INTO meta (name, value) VALUES ('schema_that_says_so', 13)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;
