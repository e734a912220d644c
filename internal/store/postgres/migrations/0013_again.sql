-- +goose Up
-- When the wait of a delivery ends that is handed over a second time, its line
-- having been busy; NULL for every other one.
ALTER TABLE deliveries ADD COLUMN again_until BIGINT;

INSERT INTO meta (name, value) VALUES ('schema_that_says_so', 13)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value;
