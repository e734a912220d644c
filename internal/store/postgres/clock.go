package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/internal/clock"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/upkeep"
)

// nowSQL is the time inside a statement: the database's clock as it is when
// the expression is evaluated, never before what this node knows to have
// passed. $1 replaces the database's clock in tests and is NULL otherwise.
// A statement that uses it has clock.args as its first two arguments.
const nowSQL = `greatest(coalesce($1::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint), $2::bigint)`

// slack is how much slower than its own monotonic clock a node takes the
// database's clock to run, so that no drift between the two puts the floor
// ahead of the database's clock. A step back of the database's clock lengthens
// lives by this share at most (V-10).
const slack = 200e-6

// nodeClock is what a node knows of the database's clock: a floor under it that
// goes on with the node's monotonic clock, so that a database whose clock was
// set back, or another one promoted with a slower clock, revives nothing.
type nodeClock struct {
	fake *clock.Clock // replaces the database's clock, for tests; else nil

	mu   sync.Mutex // guards what follows
	base time.Time  // of the last reading that raised the floor, monotonic
	at   int64      // the floor then, in microseconds

	stored atomic.Int64 // the mark in the database, as this node last saw it
	needed atomic.Int64 // the latest expiry that a step back could revive
}

func newNodeClock(wall func() time.Time) *nodeClock {
	c := &nodeClock{base: time.Now()} //nolint:forbidigo // monotonic
	if wall != nil {
		c.fake = clock.New(wall, time.Time{})
	}
	return c
}

// args are the first two arguments of a statement with nowSQL.
func (c *nodeClock) args() (wall any, floor int64) {
	if c.fake != nil {
		return c.fake.Now().UnixMicro(), c.floor()
	}
	return nil, c.floor()
}

// floor is the least that the database's clock can say now.
func (c *nodeClock) floor() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.floorLocked(time.Now()) //nolint:forbidigo // monotonic
}

func (c *nodeClock) floorLocked(now time.Time) int64 {
	if c.fake != nil {
		return c.at // a clock that tests turn does not go on by itself
	}
	gone := float64(now.Sub(c.base).Microseconds())
	return c.at + int64(gone*(1-slack))
}

// observe notes a time that a statement of now has used.
func (c *nodeClock) observe(us int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now() //nolint:forbidigo // monotonic
	if us > c.floorLocked(now) {
		c.base, c.at = now, us
	}
}

// estimate is the time without asking the database.
func (c *nodeClock) estimate() time.Time {
	floor := c.floor()
	if c.fake != nil {
		floor = max(floor, c.fake.Now().UnixMicro())
	}
	return column.FromMicros(floor)
}

// expects notes that an OTP is open until expires.
func (c *nodeClock) expects(expires time.Time) {
	us := expires.UnixMicro()
	for {
		was := c.needed.Load()
		if us <= was || c.needed.CompareAndSwap(was, us) {
			return
		}
	}
}

const highWaterMeta = "clock_high_water"

const (
	readClock = `SELECT ` + nowSQL + `, coalesce((SELECT value FROM meta WHERE name = $3), 0)`
	raiseMark = `INSERT INTO meta (name, value) SELECT $3, ` + nowSQL + `
		ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value, excluded.value) RETURNING value`
	openUntil = `SELECT coalesce(max(expires_at), 0) FROM otps WHERE state = 1` // uses otps_open_idx
)

// startClock reads the mark before anything is decided by the time.
func (s *Store) startClock(ctx context.Context) error {
	if err := s.lookAtClock(ctx); err != nil {
		return err
	}
	open, _, err := registry.First(s.pooled(ctx), registry.ScanInt, openUntil)
	if err != nil {
		return readError("read open OTPs", err)
	}
	s.clock.needed.Store(open)
	return nil
}

func (s *Store) lookAtClock(ctx context.Context) error {
	wall, floor := s.clock.args()
	r, _, err := registry.First(s.pooled(ctx), scanTwo, readClock, wall, floor, highWaterMeta)
	if err != nil {
		return readError("read the database's clock", err)
	}
	s.clock.stored.Store(r[1])
	s.clock.observe(max(r[0], r[1]))
	if ahead := time.Duration(r[1]-r[0]) * time.Microsecond; ahead > time.Second {
		s.log.WarnContext(ctx, "the database's clock is behind the time it has seen; going on from there", slog.String("behind", ahead.String()))
	}
	return nil
}

// keepClock follows the database's clock and keeps the mark, until ctx ends.
func (s *Store) keepClock(ctx context.Context) {
	ticker := time.NewTicker(upkeep.HighWaterEvery)
	defer ticker.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		err := s.keepMark(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			s.log.WarnContext(ctx, "keep the clock's high-water mark", slog.Any("err", err))
		}
		failing = err != nil
	}
}

func (s *Store) keepMark(ctx context.Context) error {
	// The mark has done its work once it is past the last open expiry.
	if s.clock.stored.Load() > s.clock.needed.Load() {
		return s.lookAtClock(ctx)
	}
	var mark int64
	err := s.write(ctx, func(t *tx) error {
		wall, floor := s.clock.args()
		if err := t.row(raiseMark, wall, floor, highWaterMeta).Scan(&mark); err != nil {
			return fmt.Errorf("store the clock's high-water mark: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.clock.stored.Store(mark)
	s.clock.observe(mark)
	return nil
}

// scanTwo reads two numbers.
func scanTwo(rows scanner) (n [2]int64, err error) {
	err = rows.Scan(&n[0], &n[1])
	return n, err
}
