-- +goose Up
-- Deliveries that their carrier knows by a reference of its own, for receipts
-- that name them by ours: a row is written with such an answer and by nobody
-- else, where an index on all deliveries would cost every send a page. It goes
-- with its delivery. One that an earlier version left behind finds nothing, as
-- dedupe must be the delivery's too.
CREATE TABLE delivery_ids (
    account_id BIGINT  NOT NULL,
    otp        BIGINT  NOT NULL,
    seq        INTEGER NOT NULL,
    dedupe     BYTEA   NOT NULL,
    CONSTRAINT delivery_ids_pkey PRIMARY KEY (account_id, otp, seq)
);
CREATE INDEX delivery_ids_dedupe_idx ON delivery_ids (dedupe);

ALTER TABLE delivery_ids ENABLE ROW LEVEL SECURITY;
ALTER TABLE delivery_ids FORCE ROW LEVEL SECURITY;
CREATE POLICY delivery_ids_account ON delivery_ids USING (
    coalesce(account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint), true));

-- The version before goes on running meanwhile (D-11).
INSERT INTO meta (name, value) VALUES ('oldest_schema_that_may_run', 11)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;
