-- +goose Up
-- What people read of OTPs. Where the packed columns are told apart: package
-- report.

-- ISO 3166-1 of the recipient, '' if it is not known.
ALTER TABLE otps ADD COLUMN country TEXT;
-- The tries of a delivery: which carriers, when, how long, what they said.
ALTER TABLE deliveries ADD COLUMN notes BLOB;
-- The attempts to push an event.
ALTER TABLE events ADD COLUMN pushes BLOB;

CREATE INDEX otps_reference_idx ON otps (account_id, reference, seq) WHERE reference IS NOT NULL;
-- State TOO_MANY_ATTEMPTS: too rare to be found by reading on.
CREATE INDEX otps_blocked_idx ON otps (account_id, seq) WHERE state = 4;

-- Figures: one row a day (in UTC, since 1970) and value of a dimension, in
-- counts those of each hour. They outlive the OTPs that they counted.
CREATE TABLE figures (
    account_id INTEGER NOT NULL,
    dimension  INTEGER NOT NULL,
    day        INTEGER NOT NULL,
    value      TEXT    NOT NULL,
    counts     BLOB    NOT NULL,
    CONSTRAINT figures_pkey PRIMARY KEY (account_id, dimension, day, value)
) STRICT, WITHOUT ROWID;
