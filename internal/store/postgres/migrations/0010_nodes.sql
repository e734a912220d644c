-- +goose Up
-- Server processes at work, for people to look at; nothing depends on it.
CREATE TABLE nodes (
    name       TEXT   NOT NULL,
    version    TEXT   NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at    BIGINT NOT NULL,
    CONSTRAINT nodes_pkey PRIMARY KEY (name)
);
