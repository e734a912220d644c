-- +goose Up
-- Room on each page for the next version of all of its rows: a group checks many
-- OTPs of one page at a time, and what finds no room there goes elsewhere, with an
-- entry in every index. It is for the pages to come; writes do not wait for it.
ALTER TABLE otps SET (fillfactor = 50);
ALTER TABLE tallies SET (fillfactor = 50);

-- When calls went to a recipient, which have limits of their own (L-04), as in
-- sends; NULL for none.
ALTER TABLE tallies ADD COLUMN IF NOT EXISTS calls BIGINT[];

-- The version before goes on running meanwhile (D-11).
INSERT INTO meta (name, value) VALUES ('oldest_schema_that_may_run', 11)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;
INSERT INTO meta (name, value) VALUES ('schema_that_says_so', 15)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;
