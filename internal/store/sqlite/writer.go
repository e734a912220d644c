package sqlite

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	engine "zombiezen.com/go/sqlite"

	"github.com/countersign/countersign/internal/store/groupsize"
	"github.com/countersign/countersign/internal/verify"
)

// Bounds of the writer.
const (
	maxGroup   = 256  // callers' work in one commit: more only lengthens the wait of the first
	maxWaiting = 4096 // work waiting in each queue; more is refused at once (verify.ErrOverloaded)
	// groupTime is what a group's statements should take: checks wait for no
	// longer behind sends (D-08). Where they take longer, groups become smaller,
	// down to leastGroup.
	groupTime  = 50 * time.Millisecond
	leastGroup = 8
	// lockPause is between two looks for a lock that another process has.
	lockPause = time.Millisecond
)

// writer is the one goroutine that writes. It takes all the work that waits,
// does it in one transaction, commits once and wakes the callers: a sync is
// shared by many. It never waits for more work to come.
type writer struct {
	store    *Store
	conn     *engine.Conn
	tx       tx
	observer Observer
	size     groupsize.Size
	// Checks and what frees work (receipts, outcomes) go before sends, so that
	// under overload people can still type their codes (D-08).
	urgent, normal chan *work
	// pauses are run between two transactions, while nothing is written.
	pauses chan func(*engine.Conn)
	mu     sync.RWMutex // guards closed against sends on the queues
	closed bool
	done   chan struct{}
}

// Where a piece of work stands.
const (
	waiting int32 = iota
	begun
	abandoned // its caller left before it was begun
)

type work struct {
	state atomic.Int32
	do    func(*tx) error
	err   error
	done  chan struct{}
}

func newWriter(s *Store, o Observer) (*writer, error) {
	conn, err := openWriter(s.path)
	if err != nil {
		return nil, fmt.Errorf("open writer: %w", err)
	}
	w := &writer{
		store: s, conn: conn, observer: o, size: groupsize.New(leastGroup, maxGroup, groupTime), tx: tx{conn: conn, statements: map[string]*engine.Stmt{}, store: s},
		urgent: make(chan *work, maxWaiting), normal: make(chan *work, maxWaiting), pauses: make(chan func(*engine.Conn)), done: make(chan struct{}),
	}
	go w.run()
	return w, nil
}

// close ends the writer after the work that waits.
func (w *writer) close() {
	w.mu.Lock()
	w.closed = true
	close(w.urgent)
	close(w.normal)
	w.mu.Unlock()
	<-w.done
}

// write does f in the writer's transaction and returns when it is durable. f
// may run more than once, so it assigns its results anew each time. If f
// returns an error, nothing that it wrote is kept.
//
// If ctx ends before f was begun, f is never run. Once begun, the work goes on
// and write returns verify.ErrOutcomeUnknown (V-07): after an error the caller
// must not look at what f assigns, for f may be running.
func (s *Store) write(ctx context.Context, f func(*tx) error) error {
	return s.writer.submit(ctx, s.writer.normal, f)
}

// writeUrgent is write before other work.
func (s *Store) writeUrgent(ctx context.Context, f func(*tx) error) error {
	return s.writer.submit(ctx, s.writer.urgent, f)
}

func (w *writer) submit(ctx context.Context, queue chan *work, f func(*tx) error) error {
	job := &work{do: f, done: make(chan struct{})}
	w.mu.RLock()
	if w.closed {
		w.mu.RUnlock()
		return fmt.Errorf("database is closing: %w", verify.ErrUnavailable)
	}
	select {
	case queue <- job:
		w.mu.RUnlock()
	default:
		w.mu.RUnlock()
		return verify.ErrOverloaded
	}
	select {
	case <-job.done:
		return job.err
	case <-ctx.Done():
		if job.state.CompareAndSwap(waiting, abandoned) {
			return fmt.Errorf("%w: %w", verify.ErrUnavailable, context.Cause(ctx))
		}
		select {
		case <-job.done:
			return job.err
		default:
			return fmt.Errorf("%w: %w", verify.ErrOutcomeUnknown, context.Cause(ctx))
		}
	}
}

// between runs f with the writer's connection while nothing is written. It
// gives up when ctx ends before f has begun.
func (w *writer) between(ctx context.Context, f func(*engine.Conn) error) error {
	var err error
	done := make(chan struct{})
	select {
	case w.pauses <- func(c *engine.Conn) { err = f(c); close(done) }:
		<-done
		return err
	case <-w.done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the writer: %w", context.Cause(ctx))
	}
}

func (w *writer) run() {
	defer close(w.done)
	defer w.conn.Close()
	urgent, normal := w.urgent, w.normal
	group := make([]*work, 0, maxGroup)
	add := func(job *work, ok bool, queue *chan *work) {
		switch {
		case !ok:
			*queue = nil
		case job.state.CompareAndSwap(waiting, begun):
			group = append(group, job)
		}
	}
	for urgent != nil || normal != nil {
		group = group[:0]
		select { // block for the first
		case job, ok := <-urgent:
			add(job, ok, &urgent)
		case job, ok := <-normal:
			add(job, ok, &normal)
		case pause := <-w.pauses:
			pause(w.conn)
			continue
		}
		// Who is about to hand in work does so first: a fuller group costs each
		// less, and nobody waits for anybody who is not ready.
		runtime.Gosched()
	gather:
		for len(group) < w.size.Max() {
			select {
			case job, ok := <-urgent:
				add(job, ok, &urgent)
				continue
			default:
			}
			select {
			case job, ok := <-normal:
				add(job, ok, &normal)
			default:
				break gather
			}
			if urgent == nil && normal == nil {
				break
			}
		}
		if len(group) > 0 {
			w.commit(group)
		}
	}
}

// commit does the group's work in one transaction. If one of them fails after
// it wrote something, the group is undone and each is done by itself.
func (w *writer) commit(group []*work) {
	start := time.Now() //nolint:forbidigo // how long a commit took
	failed, err := w.transaction(group)
	switch {
	case err == nil && !failed:
	case err == nil && len(group) > 1:
		for _, job := range group {
			if _, err := w.transaction([]*work{job}); err != nil {
				job.err = err
			}
		}
	case err != nil:
		for _, job := range group {
			job.err = err
		}
	}
	if w.observer != nil {
		w.observer.Committed(len(group), time.Since(start))
	}
	for _, job := range group {
		close(job.done)
	}
}

// transaction runs the group between BEGIN and COMMIT. failed says that a job
// returned an error after writing, so that everything was rolled back and only
// that job's err is meaningful. err says that the transaction itself failed.
func (w *writer) transaction(group []*work) (failed bool, err error) {
	// No request's end cancels a commit (V-07): nothing here knows of one.
	if err := w.begin(); err != nil {
		return false, w.unavailable("begin", err)
	}
	w.tx.now = w.store.clock.Now()
	w.tx.totals.Reset()
	begun := time.Now() //nolint:forbidigo // how long statements took
	for _, job := range group {
		w.tx.writes = 0
		job.err = w.tx.run(job.do)
		if job.err != nil && w.tx.writes > 0 {
			job.err = w.unavailable("write", job.err)
			w.rollback()
			return true, nil
		}
		if job.err != nil && resultCode(job.err) != 0 {
			job.err = w.unavailable("read for a write", job.err)
		}
	}
	// What the commit takes after the statements it takes of any group.
	w.size.Took(len(group), time.Since(begun))
	if err := w.tx.writeTotals(); err != nil {
		w.rollback()
		return false, w.unavailable("write figures", err)
	}
	if err := w.control("COMMIT"); err != nil {
		w.rollback()
		return false, w.unavailable("commit", err)
	}
	return false, nil
}

// begin takes the lock for writing, for which it waits as long as busyTimeout.
// SQLite by itself would look for it less and less often, ten times a second at
// last, and miss the moments in which another process that is busy leaves it.
func (w *writer) begin() error {
	for end := time.Now().Add(busyTimeout); ; time.Sleep(lockPause) { //nolint:forbidigo // of another process
		err := w.control("BEGIN IMMEDIATE")
		if resultCode(err)&0xff != sqliteBusy || time.Now().After(end) { //nolint:forbidigo // as above
			return err
		}
	}
}

func (w *writer) rollback() {
	// SQLite may have rolled back by itself (a full disk); then this fails
	// harmlessly.
	_ = w.control("ROLLBACK")
}

// control runs a statement that begins or ends a transaction.
func (w *writer) control(query string) error {
	s, err := w.tx.prepared(query)
	if err != nil {
		return err
	}
	if _, err := s.Step(); err != nil {
		return err //nolint:wrapcheck // unavailable says what it was doing
	}
	return s.Reset() //nolint:wrapcheck // as above
}

// unavailable marks errors of the disk and of locks as verify.ErrUnavailable
// and hands a failed sync to Fatal; other errors pass.
func (w *writer) unavailable(doing string, err error) error {
	w.store.endUnsynced(err)
	switch resultCode(err) & 0xff {
	case sqliteBusy, sqliteLocked, sqliteReadOnly, sqliteIOErr, sqliteFull, sqliteCantOpen:
		return fmt.Errorf("%s: %w: %w", doing, verify.ErrUnavailable, err)
	}
	return err
}
