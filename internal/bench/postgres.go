package main

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/countersign/countersign/internal/pgtest"
)

// pgbenchSpan is how long each of pgbench's measurements takes.
const pgbenchSpan = 5 * time.Second

// withPostgres does something with a server of its own, with its files on the
// measured disk.
func (b *bench) withPostgres(do func(*pgtest.Cluster) error) (err error) {
	// Not below the work directory: PostgreSQL runs as another user, who may
	// not pass there.
	below := b.disk()
	c, stop, err := pgtest.Run(below)
	if err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	defer func() { err = errors.Join(err, stop()) }()
	return do(c)
}

// disk is the directory that -dir named, "" for that of temporary files.
func (s settings) disk() string {
	if s.given {
		return s.work
	}
	return ""
}

// deployment is some nodes on one new database.
type deployment struct {
	nodes []*target
	dirs  []string
}

func (d *deployment) addrs() []string {
	var all []string
	for _, n := range d.nodes {
		all = append(all, n.addr)
	}
	return all
}

func (d *deployment) stop() {
	for _, n := range d.nodes {
		n.stop()
	}
	for _, dir := range d.dirs {
		_ = os.RemoveAll(dir)
	}
}

// withNodes does something with n nodes on a database of their own.
func (b *bench) withNodes(ctx context.Context, c *pgtest.Cluster, n int, o options, do func(*deployment) error) error {
	b.made++
	name := fmt.Sprintf("bench_%d", b.made)
	if err := execute(ctx, c.URL(), "CREATE DATABASE "+name); err != nil {
		return err
	}
	at, err := url.Parse(c.URL())
	if err != nil {
		return fmt.Errorf("name the database: %w", err)
	}
	at.Path = "/" + name
	root := make([]byte, 32)
	_, _ = rand.Read(root) // never fails (Go 1.24)
	o.env = append([]string{"COUNTERSIGN_DATABASE_URL=" + at.String(), "COUNTERSIGN_SECRET_KEY=" + base64.StdEncoding.EncodeToString(root)}, o.env...)
	d := &deployment{}
	defer d.stop()
	for i := range n {
		dir, err := b.newDir()
		if err != nil {
			return err
		}
		d.dirs = append(d.dirs, dir)
		o.joins = i > 0
		t, err := startTarget(ctx, b.binary, dir, o)
		if err != nil {
			return err
		}
		d.nodes = append(d.nodes, t)
	}
	if n > 1 {
		time.Sleep(time.Second) // until every node has seen the profile
	}
	return do(d)
}

// postgres measures P5 and P6, and what three nodes lose against one: each
// round every ceiling beside every figure.
func (b *bench) postgres(ctx context.Context) error {
	return b.withPostgres(func(c *pgtest.Cluster) error { //nolint:contextcheck // a server's start has a bound of its own
		if err := execute(ctx, c.URL(), bareTables); err != nil {
			return err
		}
		var sends, checks, threeSends, threeChecks []float64
		var last nodePeaks
		var half halfPeak
		for round := range b.rounds {
			p, err := b.nodePeaks(ctx, c, &half)
			if err != nil {
				return err
			}
			sends, checks = append(sends, p.one.send/p.bare.send), append(checks, p.one.check/p.bare.check)
			threeSends, threeChecks = append(threeSends, p.three.send/p.one.send), append(threeChecks, p.three.check/p.one.check)
			progress("round %d: pgbench send %.0f/s, check %.0f/s; one node %.0f sends/s, %.0f checks/s; three nodes %.0f sends/s, %.0f checks/s; p99 at half: send %s, check %s, bare %s",
				round+1, p.bare.send, p.bare.check, p.one.send, p.one.check, p.three.send, p.three.check, half.send[round], half.check[round], half.bare[round])
			last = p
		}
		b.ratio("P5", "accepted sends/s over HTTP, one node", last.one.send, "pgbench -c 64 send", last.bare.send, median(sends), 0.9, 1.3)
		b.ratio("P5", "checks/s over HTTP, one node", last.one.check, "pgbench -c 64 check", last.bare.check, median(checks), 0.8, 0.8)
		b.ratio("–", "accepted sends/s, three nodes on this machine", last.three.send, "one node", last.one.send, median(threeSends), 0.85, 1)
		b.ratio("–", "checks/s, three nodes on this machine", last.three.check, "one node", last.one.check, median(threeChecks), 0.85, 1)
		b.atHalfPeak(&half)
		return nil
	})
}

// nodePeaks is a round of postgres: pgbench, one node and three.
type nodePeaks struct{ bare, one, three rates }

func (b *bench) nodePeaks(ctx context.Context, c *pgtest.Cluster, half *halfPeak) (p nodePeaks, err error) {
	if p.bare.send, err = b.pgbench(ctx, c, bareSend, pgbenchSpan); err != nil {
		return p, err
	}
	if p.bare.check, err = b.pgbench(ctx, c, bareCheck, pgbenchSpan); err != nil {
		return p, err
	}
	// What pgbench left becomes the segments to come, as on a server that
	// has run for a while: to make one stops every commit for 40 ms.
	if err := execute(ctx, c.AdminURL(), "CHECKPOINT"); err != nil {
		return p, err
	}
	err = b.withNodes(ctx, c, 1, options{submitDelay: held}, func(d *deployment) error {
		if p.one, err = b.peak(ctx, d); err != nil {
			return err
		}
		return b.withBare(ctx, func(addr string) error { return half.measure(ctx, d.nodes[0], addr, p.one) })
	})
	if err != nil {
		return p, err
	}
	err = b.withNodes(ctx, c, 3, options{submitDelay: held}, func(d *deployment) error {
		p.three, err = b.peak(ctx, d)
		return err
	})
	return p, err
}

// handedOver measures P9: from accept to the carrier.
func (b *bench) handedOver(ctx context.Context) error {
	return b.withPostgres(func(c *pgtest.Cluster) error { //nolint:contextcheck // a server's start has a bound of its own
		var p50, p99 []time.Duration
		for round := range b.rounds {
			err := b.withNodes(ctx, c, 1, options{}, func(d *deployment) error {
				t := d.nodes[0]
				full, err := load(ctx, t.addr, b.sends, 0, t.send("login", 0, nil))
				if err != nil {
					return err
				}
				if err := b.settle(ctx, t); err != nil {
					return err
				}
				before, err := t.metric(ctx, handedMetric+"_bucket")
				if err != nil {
					return err
				}
				half := full.rate() / 2
				if _, err = load(ctx, t.addr, int(half*5), half, t.send("login", 1_000_000, nil)); err != nil {
					return err
				}
				if err := b.settle(ctx, t); err != nil {
					return err
				}
				after, err := t.metric(ctx, handedMetric+"_bucket")
				if err != nil {
					return err
				}
				p50, p99 = append(p50, bucketQuantile(before, after, 0.5)), append(p99, bucketQuantile(before, after, 0.99))
				progress("round %d: accepts %.0f/s; accept to carrier p50 %s, p99 %s", round+1, full.rate(), p50[round], p99[round])
				return nil
			})
			if err != nil {
				return err
			}
		}
		b.within("P9", "accept to carrier p50 at half load", median(p50), 5*time.Millisecond, 2*time.Millisecond)
		b.within("P9", "accept to carrier p99 at half load", median(p99), 50*time.Millisecond, 20*time.Millisecond)
		return nil
	})
}
