-- +goose Up
-- Server processes at work, for people to look at; nothing depends on it.
CREATE TABLE nodes (
    name       TEXT    NOT NULL,
    version    TEXT    NOT NULL,
    started_at INTEGER NOT NULL,
    seen_at    INTEGER NOT NULL,
    CONSTRAINT nodes_pkey PRIMARY KEY (name)
) STRICT, WITHOUT ROWID;
