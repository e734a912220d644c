-- +goose Up
-- Sends and checks go into the database in groups (otp_create.go,
-- otp_check.go): one array of these, as text, is read several times faster
-- than an array for each column.
CREATE TYPE send_input AS (
    n              INTEGER,
    account_id     BIGINT,
    id             BYTEA,
    origin         TEXT,
    allowed        INTEGER,
    form           SMALLINT,
    code_length    INTEGER,
    bound          BOOLEAN,
    resendable     BOOLEAN,
    limited        BOOLEAN,
    life           BIGINT,
    key_id         BIGINT,
    digest         BYTEA,
    recipient      TEXT,
    recipient_key  BYTEA,
    profile_id     BYTEA,
    application_id BYTEA,
    reference      TEXT,
    plan           TEXT,
    country        TEXT,
    dedupe         BYTEA,
    sealed         BYTEA,
    next_step      INTEGER
);
CREATE TYPE check_input AS (
    n          INTEGER,
    account_id BIGINT,
    id         BYTEA,
    origin     TEXT,
    typed      INTEGER,
    guesses    BYTEA
);

-- Room on each page for the next version of its rows, so that a check's
-- updates touch no index.
ALTER TABLE otps SET (fillfactor = 75);
ALTER TABLE tallies SET (fillfactor = 75);

-- The same rule as in 0004_policies.sql with one question to the settings in
-- place of two: every group's statement asks anew for each table it names.
ALTER POLICY otps_account ON otps USING (
    coalesce(account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint), true));
ALTER POLICY deliveries_account ON deliveries USING (
    coalesce(account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint), true));
ALTER POLICY events_account ON events USING (
    coalesce(account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint), true));
ALTER POLICY tallies_account ON tallies USING (
    coalesce(account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint), true));
ALTER POLICY figure_facts_account ON figure_facts USING (
    coalesce(account_id = (SELECT nullif(current_setting('countersign.account', true), '')::bigint), true));
