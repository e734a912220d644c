package postgres

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/clock"
	"github.com/countersign/countersign/internal/store/column"
	"github.com/countersign/countersign/internal/store/highwater"
	"github.com/countersign/countersign/internal/store/registry"
)

// nowSQL is the time inside a statement: the database's clock as it is when
// the expression is evaluated, never before what this node knows to have
// passed. $1 replaces the database's clock in tests and is NULL otherwise.
// A statement that uses it has clock.args as its first two arguments.
const (
	nowSQL = `greatest(` + rawSQL + `, $2::bigint)`
	rawSQL = `coalesce($1::bigint, ` + serverSQL + `)`
	// serverSQL is the database's clock alone.
	serverSQL = `(extract(epoch FROM clock_timestamp()) * 1000000)::bigint`
)

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

	mark *highwater.Mark // as this node last saw it
	told bool            // that the database's clock is behind; keepMark's
}

func newNodeClock(wall func() time.Time) *nodeClock {
	c := &nodeClock{base: time.Now(), mark: highwater.New()} //nolint:forbidigo // monotonic
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

const (
	// uses otps_open_idx, unless this node has an open OTP of its own.
	readClock = `SELECT ` + nowSQL + `, ` + rawSQL + `, coalesce((SELECT value FROM meta WHERE name = $3), 0),
		CASE WHEN $4 THEN (SELECT coalesce(max(expires_at), 0) FROM otps WHERE state = 1) ELSE 0 END`
	raiseMark = `INSERT INTO meta (name, value) SELECT $3, ` + nowSQL + `
		ON CONFLICT (name) DO UPDATE SET value = greatest(meta.value, excluded.value) RETURNING value`
)

// startClock reads the mark before anything is decided by the time.
func (s *Store) startClock(ctx context.Context) error {
	_, err := s.lookAtClock(ctx)
	return err
}

// lookAtClock reads the database's clock and the mark, and returns how far what
// this node knows to have passed is ahead of that clock.
func (s *Store) lookAtClock(ctx context.Context) (ahead time.Duration, err error) {
	wall, floor := s.clock.args()
	r, _, err := registry.First(s.pooled(ctx), scanClock, readClock, wall, floor, highwater.Meta, !s.clock.mark.Known())
	if err != nil {
		return 0, readError("read the database's clock", err)
	}
	s.clock.mark.Stored(r.mark)
	s.clock.mark.Open(r.open)
	s.clock.observe(max(r.now, r.mark))
	ahead = time.Duration(max(r.now, r.mark)-r.raw) * time.Microsecond
	behind := ahead > time.Second
	if behind && !s.clock.told {
		s.log.WarnContext(ctx, "the database's clock is behind the time it has seen; going on from there", slog.String("behind", ahead.String()))
	}
	s.clock.told = behind
	return ahead, nil
}

// keepClock follows the database's clock and keeps the mark, until ctx ends.
func (s *Store) keepClock(ctx context.Context) {
	s.clock.mark.Keep(ctx, s.keepMark, func(err error) {
		s.log.WarnContext(ctx, "keep the clock's high-water mark", slog.Any("err", err))
	})
}

func (s *Store) keepMark(ctx context.Context) error {
	ahead, err := s.lookAtClock(ctx)
	if err != nil || !s.clock.mark.Due(s.clock.estimate(), ahead) {
		return err
	}
	return s.raiseMark(ctx)
}

func (s *Store) raiseMark(ctx context.Context) error {
	var mark int64
	err := s.write(ctx, func(t *tx) error {
		wall, floor := s.clock.args()
		if err := t.row(raiseMark, wall, floor, highwater.Meta).Scan(&mark); err != nil {
			return fmt.Errorf("store the clock's high-water mark: %w", err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.clock.mark.Stored(mark)
	s.clock.observe(mark)
	return nil
}

// reading is one of the database's clock, in microseconds.
type reading struct {
	now, raw, mark int64
	open           int64 // until when an OTP is
}

func scanClock(row scanner) (r reading, err error) {
	err = row.Scan(&r.now, &r.raw, &r.mark, &r.open)
	return r, err
}

// scanTwo reads two numbers.
func scanTwo(rows scanner) (n [2]int64, err error) {
	err = rows.Scan(&n[0], &n[1])
	return n, err
}
