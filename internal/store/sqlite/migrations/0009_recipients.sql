-- +goose Up
-- One row an OTP, found by who it was sent to. The newest of a recipient also
-- holds what limits remember of it, which is why it may outlive its OTP: one
-- page for a send to touch where an index and a table of their own were two.
CREATE TABLE recipients (
    account_id    INTEGER NOT NULL,
    recipient_key BLOB    NOT NULL,
    otp           INTEGER NOT NULL,
    sends         BLOB,
    failures      BLOB,
    consecutive   INTEGER,
    updated_at    INTEGER,
    CONSTRAINT recipients_pkey PRIMARY KEY (account_id, recipient_key, otp)
) STRICT, WITHOUT ROWID;

INSERT INTO recipients (account_id, recipient_key, otp) SELECT account_id, recipient_key, seq FROM otps;
INSERT INTO recipients (account_id, recipient_key, otp, sends, failures, consecutive, updated_at)
    SELECT account_id, recipient_key,
        coalesce((SELECT max(r.otp) FROM recipients r WHERE r.account_id = t.account_id AND r.recipient_key = t.recipient_key), 0),
        sends, failures, consecutive, updated_at
    FROM tallies t WHERE true
    ON CONFLICT (account_id, recipient_key, otp) DO UPDATE SET
        sends = excluded.sends, failures = excluded.failures, consecutive = excluded.consecutive, updated_at = excluded.updated_at;

DROP TABLE tallies;
DROP INDEX otps_recipient_idx;

CREATE VIEW tallies (account_id, recipient_key, sends, failures, consecutive, updated_at) AS
    SELECT account_id, recipient_key, sends, failures, consecutive, updated_at FROM recipients WHERE updated_at IS NOT NULL;
