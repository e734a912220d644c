-- +goose Up
-- Every event looks for the configurations of its profile and those of none:
-- those of other profiles, however many, are not read.
CREATE INDEX IF NOT EXISTS callback_configs_profile_idx ON callback_configs (account_id, profile_id, seq);

-- Claims step from configuration to configuration of what waits: dead letters,
-- however many configurations have some, are not in the way.
CREATE INDEX IF NOT EXISTS callbacks_waiting_idx ON callbacks (account_id, config_id, due_at) WHERE due_at IS NOT NULL;

-- Logins are looked for with letters folded.
DROP INDEX IF EXISTS api_keys_login_idx;
CREATE INDEX api_keys_login_idx ON api_keys (lower(login)) WHERE login IS NOT NULL;

-- The version before runs on this schema too (D-11).
INSERT INTO meta (name, value) VALUES ('oldest_schema_that_may_run', 9)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;
INSERT INTO meta (name, value) VALUES ('schema_that_says_so', 12)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;
