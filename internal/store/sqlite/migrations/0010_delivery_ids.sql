-- +goose Up
-- Deliveries that their carrier knows by a reference of its own, for receipts
-- that name them by ours: a row is written with such an answer and by nobody
-- else, where an index on all deliveries would cost every send a page. It goes
-- with its delivery. One that an earlier version left behind finds nothing, as
-- dedupe must be the delivery's too.
CREATE TABLE delivery_ids (
    account_id INTEGER NOT NULL,
    otp        INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    dedupe     BLOB    NOT NULL,
    CONSTRAINT delivery_ids_pkey PRIMARY KEY (account_id, otp, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_ids_dedupe_idx ON delivery_ids (dedupe);

-- The version before goes on running meanwhile (D-11).
INSERT INTO meta (name, value) VALUES ('oldest_schema_that_may_run', 9)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;
