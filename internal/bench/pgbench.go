package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/countersign/countersign/internal/pgtest"
)

// bareTables are the least that a send writes and a check changes.
const bareTables = `
CREATE TABLE bare_otps (account bigint, id uuid, recipient text, state smallint, attempts int, expires bigint, digest bytea, plan text, PRIMARY KEY (account, id));
CREATE TABLE bare_deliveries (account bigint, otp uuid, seq int, state smallint, due bigint, sealed bytea, PRIMARY KEY (account, otp, seq));
CREATE INDEX bare_due ON bare_deliveries (state, due) WHERE due IS NOT NULL;
CREATE TABLE bare_checked (n int PRIMARY KEY, state smallint NOT NULL, attempts int NOT NULL, expires bigint NOT NULL, digest bytea NOT NULL);
INSERT INTO bare_checked SELECT n, 1, 0, 9000000000000000, '\x00' FROM generate_series(1, 100000) n;`

// One send, and one check, a transaction and a round trip: as a program would
// that knows PostgreSQL and commits each call by itself.
const (
	bareSend = `WITH o AS (INSERT INTO bare_otps VALUES (1, gen_random_uuid(), '+4915112345678', 1, 0,
	(extract(epoch FROM clock_timestamp()) * 1000000)::bigint, decode(repeat('ab', 32), 'hex'),
	'{"p":[{"c":"SMS","t":["ACME code ",0,", valid 3 min."],"s":"VERIFY","l":"en","e":180000000000,"w":60000000000}]}') RETURNING id)
	INSERT INTO bare_deliveries SELECT 1, id, 1, 1, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, decode(repeat('cd', 38), 'hex') FROM o;
`
	bareCheck = `\set n random(1, 100000)
WITH o AS MATERIALIZED (SELECT n, state, attempts, expires, digest FROM bare_checked WHERE n = :n FOR UPDATE),
	c AS MATERIALIZED (SELECT o.*, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS now FROM o)
	UPDATE bare_checked b SET attempts = b.attempts + 1 FROM c WHERE b.n = c.n AND c.now < c.expires;
`
)

var tps = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// pgbench measures a script with one transaction a call, in calls a second.
func (b *bench) pgbench(ctx context.Context, c *pgtest.Cluster, script string, span time.Duration) (float64, error) {
	dir, err := b.newDir()
	if err != nil {
		return 0, err
	}
	path := filepath.Join(dir, "script.sql")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		return 0, fmt.Errorf("write a script: %w", err)
	}
	cmd := exec.CommandContext(ctx, c.Program("pgbench"), "-n", "-M", "prepared", "-c", strconv.Itoa(connections), "-j", "2",
		"-T", strconv.Itoa(int(span.Seconds())), "-f", path, "-h", c.Dir(), "-U", pgtest.Role, pgtest.Role)
	var out, log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &log
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("pgbench: %w\n%s", err, log.Bytes())
	}
	m := tps.FindSubmatch(out.Bytes())
	if m == nil {
		return 0, errors.New("pgbench did not say how fast it was")
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// execute runs statements as Role, or as the superuser.
func execute(ctx context.Context, url, statements string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return fmt.Errorf("connect to PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, statements, pgx.QueryExecModeSimpleProtocol); err != nil {
		return fmt.Errorf("prepare PostgreSQL: %w", err)
	}
	return nil
}
