// Package movein copies a whole SQLite database into an empty PostgreSQL one,
// in one transaction: it is there with every row, counted and compared, or it
// is not there.
package movein

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// Errors that the operator must act on.
var (
	// ErrNotEmpty: the target holds data that is not of this move.
	ErrNotEmpty = errors.New("the database to move to holds data")
	// ErrSchema: the two schemas do not fit.
	ErrSchema = errors.New("the schemas of the two databases do not fit")
	// ErrDiffers: what was copied does not read back as it was; nothing is kept.
	ErrDiffers = errors.New("a table does not read back as it was written")
	// ErrText: PostgreSQL cannot hold a text of the source.
	ErrText = errors.New("a text has a NUL or is not UTF-8")
	// ErrUnknown: PostgreSQL was to commit and did not say that it did. Where it
	// did, the source is no copy yet; running again finds it out, and makes it one.
	ErrUnknown = errors.New("whether everything was moved is not known; run it again before any server starts")
)

// Bounds.
const (
	busyTime = 10 * time.Second // for the source's writers to end
	lockTime = "10s"            // for the target's users to end
	moreTime = 5 * time.Second  // for a commit when the move is to end: longer than one takes, shorter than people wait
)

// Config says what to move.
type Config struct {
	From string // path of the SQLite file; nobody writes to it
	To   string // URL of the PostgreSQL database, with this version's schema
	// Moved is called after each table; nil for nothing.
	Moved func(Table)
	// More is how long the commit may still take when Run's context ends, 5 s if 0.
	More time.Duration
}

// Table is one that was moved.
type Table struct {
	Name string
	Rows int64
	Hash [sha256.Size]byte // of its rows, in any order
}

// Report is what a move came to.
type Report struct {
	Tables []Table
	Rows   int64
	// Again says that an earlier move of the same data was found, whole, and
	// nothing was changed.
	Again bool
	// Quarantined says that this move left the target in quarantine: the source
	// was, or the target.
	Quarantined bool
}

// Run moves everything. The source is then marked as quarantined (D-10), so
// that a server that is started on it by mistake sends nothing. One that was
// quarantined before is a copy of what may still be in use, such as a restored
// backup, or a file that was moved into another database already: it arrives
// quarantined. Run may be repeated: after a move that failed it begins anew,
// after one that succeeded it finds that. After ErrUnknown, or if it was killed,
// it must be.
func Run(ctx context.Context, c Config) (r Report, err error) {
	from, err := openSource(ctx, c.From)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, from.close(context.WithoutCancel(ctx))) }()
	to, err := openTarget(ctx, c.To)
	if err != nil {
		return r, err
	}
	defer to.close(context.WithoutCancel(ctx))
	tables, err := plan(ctx, from, to)
	if err != nil {
		return r, err
	}
	moved, empty, err := to.state(ctx, tables)
	if err != nil {
		return r, err
	}
	if !empty {
		return again(ctx, from, tables, moved)
	}
	for _, t := range tables {
		one, err := move(ctx, from, to, t)
		if err != nil {
			return r, fmt.Errorf("table %s: %w", t.name, err)
		}
		r.Tables, r.Rows = append(r.Tables, one), r.Rows+one.Rows
		if c.Moved != nil {
			c.Moved(one)
		}
	}
	if r.Quarantined, err = to.finish(ctx, from, tables, mark(r.Tables)); err != nil {
		return r, err
	}
	if err := to.commit(ctx, cmp.Or(c.More, moreTime)); err != nil {
		return r, err
	}
	// Now that the target may be served, nothing keeps the source from becoming a
	// copy.
	if err := from.quarantine(context.WithoutCancel(ctx)); err != nil {
		return r, err
	}
	return r, to.analyze(ctx, tables)
}

// again finds out whether the target holds what an earlier move of this source
// brought there.
func again(ctx context.Context, from *source, tables []table, moved int64) (r Report, err error) {
	if moved == 0 {
		return r, ErrNotEmpty
	}
	for _, t := range tables {
		one := Table{Name: t.name}
		one.Rows, one.Hash, err = from.sum(ctx, t)
		if err != nil {
			return r, fmt.Errorf("table %s: %w", t.name, err)
		}
		r.Tables, r.Rows = append(r.Tables, one), r.Rows+one.Rows
	}
	if mark(r.Tables) != moved {
		return Report{}, fmt.Errorf("%w, of another move", ErrNotEmpty)
	}
	r.Again = true
	return r, from.quarantine(ctx)
}

// move copies one table and reads it back.
func move(ctx context.Context, from *source, to *target, t table) (Table, error) {
	rows, err := from.rows(ctx, t) //nolint:rowserrcheck // feed.Err does
	if err != nil {
		return Table{}, err
	}
	defer rows.Close()
	feed := &feed{rows: rows, table: t}
	if err := to.copyIn(ctx, t, feed); err != nil {
		return Table{}, errors.Join(feed.err, err)
	}
	n, hash, err := to.sum(ctx, t)
	if err != nil {
		return Table{}, err
	}
	if n != feed.sum.rows || hash != feed.sum.hash() {
		return Table{}, fmt.Errorf("%w: %d rows were read, %d are there", ErrDiffers, feed.sum.rows, n)
	}
	return Table{t.name, n, hash}, nil
}

// mark is what the target remembers of a move; never 0.
func mark(tables []Table) int64 {
	h := sha256.New()
	for _, t := range tables {
		fmt.Fprintf(h, "%s %d %x\n", t.Name, t.Rows, t.Hash)
	}
	return int64(binary.BigEndian.Uint64(h.Sum(nil))>>1) | 1
}

// feed gives a table's rows to the copy and sums them up.
type feed struct {
	rows  *sql.Rows
	table table
	sum   sum
	row   []any
	err   error
}

// Next implements pgx.CopyFromSource.
func (f *feed) Next() bool {
	if f.err != nil || !f.rows.Next() {
		return false
	}
	f.row, f.err = f.table.read(f.rows)
	if f.err == nil {
		f.err = f.sum.add(f.row)
	}
	return f.err == nil
}

// Values implements pgx.CopyFromSource.
func (f *feed) Values() ([]any, error) { return f.row, nil }

// Err implements pgx.CopyFromSource.
func (f *feed) Err() error { return errors.Join(f.err, f.rows.Err()) }

var _ pgx.CopyFromSource = (*feed)(nil)

// said hides what a driver's error may quote (P-02): PostgreSQL's detail holds
// values.
func said(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return fmt.Errorf("PostgreSQL error %s %s %s", e.Code, e.TableName, e.ConstraintName)
	}
	if e, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return fmt.Errorf("connect: %w", errors.Unwrap(e))
	}
	return err
}
