-- +goose Up
-- On tables that are empty and were never analysed, every index that begins
-- with account_id looks as good as the right one, and plans that are made then
-- are kept while the tables grow. So the planner is shown what the tables will
-- be like, one account with many rows, until it sees for itself.

INSERT INTO otps (account_id, seq, id, origin, state, allowed, form, code_length, bound, resendable, limited,
    created_at, expires_at, life, key_id, digest, recipient, recipient_key, plan)
SELECT 0, n, int8send(n), '', CASE n % 3 WHEN 0 THEN 1 WHEN 1 THEN 3 ELSE 4 END, 3, 0, 6, false, false, true, n, n, 0, 0, int8send(n), '', int8send(n), ''
FROM generate_series(1, 400) AS n;
INSERT INTO deliveries (account_id, otp, seq, state, step, next_step, queued_at, due_at, dedupe, carrier, ref)
SELECT 0, n, 1, 1 + (n % 5), 0, -1, n, n, int8send(n), '', n::text FROM generate_series(1, 400) AS n;
INSERT INTO events (account_id, otp, seq, at, kind) SELECT 0, n / 4, n % 4, n, 1 FROM generate_series(1, 400) AS n;
INSERT INTO tallies (account_id, recipient_key, sends, failures, consecutive, updated_at)
SELECT 0, int8send(n), '{}', '{}', 0, n FROM generate_series(1, 400) AS n;
INSERT INTO idempotency (account_id, key, fingerprint, result, created_at)
SELECT 0, int8send(n), int8send(n), '', n FROM generate_series(1, 400) AS n;
INSERT INTO callbacks (account_id, seq, id, config_id, otp, event_seq, due_at, created_at)
SELECT 0, n, int8send(n), (n % 4)::text, n / 4, n % 4, n, n FROM generate_series(1, 400) AS n;
ANALYZE otps, deliveries, events, tallies, idempotency, callbacks;
TRUNCATE otps, deliveries, events, tallies, idempotency, callbacks;
