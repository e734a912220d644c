package sqlite_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/verify"
)

// commits notes how many callers each commit carried.
type commits struct {
	mu      sync.Mutex // guards callers
	callers []int
}

func (c *commits) Committed(callers int, _ time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.callers = append(c.callers, callers)
}

func (c *commits) total() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.callers)
}

func (c *commits) largest() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	most := 0
	for _, n := range c.callers {
		most = max(most, n)
	}
	return most
}

// bench is a store at rest whose writer can be held up.
type bench struct {
	*sqlite.Store
	t       testing.TB
	commits *commits
}

func newBench(t testing.TB) bench {
	t.Helper()
	c := &commits{}
	s, err := sqlite.Open(t.Context(), sqlite.Config{
		Path: made(t), Observer: c, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	s.Rest() // else the clock's mark would be among what tests count
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return bench{s, t, c}
}

// hold occupies the writer until release is called.
func (b bench) hold() (release func()) {
	b.t.Helper()
	begun, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	done := make(chan error, 1)
	go func() {
		done <- b.Write(context.Background(), func(*sqlite.Tx) error {
			once.Do(func() { close(begun); <-free })
			return nil
		})
	}()
	b.within("the writer to be held", begun)
	return func() {
		close(free)
		if err := <-done; err != nil {
			b.t.Errorf("the work that held the writer: %v", err)
		}
	}
}

// patience bounds every wait of these tests.
const patience = 2 * time.Minute

func (b bench) within(what string, done <-chan struct{}) {
	b.t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		b.t.Fatalf("waited %v for %s", patience, what)
	}
}

// queued waits until n pieces of work wait.
func (b bench) queued(n int) {
	b.t.Helper()
	deadline := time.Now().Add(patience)
	for b.Waiting() < n {
		if time.Now().After(deadline) {
			b.t.Fatalf("%d pieces of work wait, want %d", b.Waiting(), n)
		}
		time.Sleep(time.Millisecond)
	}
}

// put writes a row that tells of itself.
func put(name string) func(*sqlite.Tx) error {
	return func(tx *sqlite.Tx) error {
		_, err := tx.Exec("INSERT INTO meta (name, value) VALUES (?, 1)", name)
		return err
	}
}

// rows lists the rows that put wrote.
func (b bench) rows() []string {
	b.t.Helper()
	return names(b.t, b.Reader())
}

func names(t testing.TB, db *sql.DB) []string {
	t.Helper()
	rows, err := db.QueryContext(context.Background(), "SELECT name FROM meta WHERE name LIKE 'test-%' ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		all = append(all, name)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWorkThatWaitsSharesOneCommit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	release := b.hold()
	var wg sync.WaitGroup
	const callers = 100
	for i := range callers {
		wg.Go(func() {
			if err := b.Write(t.Context(), put(fmt.Sprintf("test-%03d", i))); err != nil {
				t.Errorf("Write: %v", err)
			}
		})
	}
	b.queued(callers)
	release()
	wg.Wait()
	if got := b.commits.largest(); got < callers || got > sqlite.MaxGroup {
		t.Errorf("the largest commit carried %d callers, want all %d that waited", got, callers)
	}
	if got := b.rows(); len(got) != callers {
		t.Errorf("%d rows were written, want %d", len(got), callers)
	}
}

func TestUnderLoadCommitsAreShared(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			for j := range 20 {
				if err := b.Write(t.Context(), put(fmt.Sprintf("test-%d-%d", i, j))); err != nil {
					t.Errorf("Write: %v", err)
				}
			}
		})
	}
	wg.Wait()
	b.commits.mu.Lock()
	defer b.commits.mu.Unlock()
	total := 0
	for _, n := range b.commits.callers {
		total += n
	}
	if n := len(b.commits.callers); total < 640 || n*2 > total {
		t.Errorf("%d commits carried %d callers: at least two of them should share a commit on average", n, total)
	}
}

func TestNoCommitIsLargerThanTheBound(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	release := b.hold()
	var wg sync.WaitGroup
	for range sqlite.MaxGroup + 50 {
		wg.Go(func() {
			if err := b.Write(t.Context(), func(*sqlite.Tx) error { return nil }); err != nil {
				t.Errorf("Write: %v", err)
			}
		})
	}
	b.queued(sqlite.MaxGroup + 50)
	release()
	wg.Wait()
	if got := b.commits.largest(); got != sqlite.MaxGroup {
		t.Errorf("the largest commit carried %d callers, want %d", got, sqlite.MaxGroup)
	}
}

// Checks would wait as long behind a group of slow sends (D-08).
func TestGroupsAreSmallerWhereWorkIsSlow(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	together := func(callers int, do func(*sqlite.Tx) error) (largest int) {
		b.commits.mu.Lock()
		b.commits.callers = nil
		b.commits.mu.Unlock()
		release := b.hold()
		var wg sync.WaitGroup
		for range callers {
			wg.Go(func() {
				if err := b.Write(t.Context(), do); err != nil {
					t.Errorf("Write: %v", err)
				}
			})
		}
		b.queued(callers)
		release()
		wg.Wait()
		return b.commits.largest()
	}
	slow := func(*sqlite.Tx) error { time.Sleep(5 * time.Millisecond); return nil }
	quick := func(*sqlite.Tx) error { return nil }
	if got := together(40, slow); got != 40 {
		t.Errorf("before anything was slow the largest commit carried %d callers, want all 40", got)
	}
	if got := together(40, slow); got > 10 { // at least 200 ms then, where 50 are wanted
		t.Errorf("after 40 slow ones the largest commit carried %d callers, want 10 at most", got)
	}
	for begun := time.Now(); together(40, quick) < 40; {
		if time.Since(begun) > patience {
			t.Fatalf("groups stay small after %v of quick work", patience)
		}
	}
}

func TestAPanicAtARowLeavesItsStatementToOthers(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	const query = "SELECT ? UNION ALL SELECT 2"
	if err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
		return tx.Query(func(int64) error { panic("at a row") }, query, 1)
	}); err == nil || !strings.Contains(err.Error(), "at a row") {
		t.Fatalf("Write = %v, want the panic", err)
	}
	var got []int64
	if err := b.Write(t.Context(), func(tx *sqlite.Tx) error {
		return tx.Query(func(n int64) error { got = append(got, n); return nil }, query, 1)
	}); err != nil || !slices.Equal(got, []int64{1, 2}) {
		t.Errorf("the next that asks the same gets %v, %v; want 1, 2", got, err)
	}
}

func TestAFailingJobIsUndoneAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	refused := errors.New("refused")
	release := b.hold()
	jobs := []struct {
		do   func(*sqlite.Tx) error
		want string // in the error, "" for none
	}{
		{put("test-a"), ""},
		{func(tx *sqlite.Tx) error { return errors.Join(put("test-b")(tx), refused) }, "refused"},
		{put("test-c"), ""},
		{func(tx *sqlite.Tx) error {
			if err := put("test-d")(tx); err != nil {
				return err
			}
			panic("a mistake")
		}, "panic in a transaction: a mistake"},
		{func(*sqlite.Tx) error { return verify.ErrNotFound }, "not found"},
		{func(*sqlite.Tx) error { panic("before it wrote") }, "before it wrote"},
		{func(tx *sqlite.Tx) error { return errors.Join(put("test-e")(tx), put("test-e")(tx)) }, "UNIQUE"},
		{func(tx *sqlite.Tx) error { _, err := tx.Exec("INSERT INTO nowhere VALUES (1)"); return err }, "no such table"},
		{put("test-f"), ""},
	}
	errs := make([]error, len(jobs))
	var wg sync.WaitGroup
	for i, job := range jobs {
		wg.Go(func() { errs[i] = b.Write(t.Context(), job.do) })
	}
	b.queued(len(jobs))
	release()
	wg.Wait()
	for i, job := range jobs {
		if (job.want == "") != (errs[i] == nil) || job.want != "" && !strings.Contains(errs[i].Error(), job.want) {
			t.Errorf("job %d = %v, want %q", i, errs[i], job.want)
		}
	}
	if !errors.Is(errs[1], refused) || !errors.Is(errs[4], verify.ErrNotFound) {
		t.Errorf("the jobs' own errors are lost: %v, %v", errs[1], errs[4])
	}
	if got, want := b.rows(), []string{"test-a", "test-c", "test-f"}; !cmp.Equal(got, want) {
		t.Errorf("what is left differs:\n%s", cmp.Diff(want, got))
	}
	if err := b.Write(t.Context(), put("test-g")); err != nil {
		t.Errorf("the writer does not work any more: %v", err)
	}
}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	release := b.hold()
	var wg sync.WaitGroup
	for range sqlite.MaxWaiting {
		wg.Go(func() {
			if err := b.Write(t.Context(), func(*sqlite.Tx) error { return nil }); err != nil {
				t.Errorf("work that waited: %v", err)
			}
		})
	}
	b.queued(sqlite.MaxWaiting)
	if err := b.Write(t.Context(), put("test-over")); !errors.Is(err, verify.ErrOverloaded) {
		t.Errorf("work beyond the bound = %v, want ErrOverloaded", err)
	}
	urgent := make(chan error, 1)
	go func() { urgent <- b.WriteUrgent(t.Context(), put("test-urgent")) }()
	b.queued(sqlite.MaxWaiting + 1) // the other queue has room (D-08)
	release()
	if err := <-urgent; err != nil {
		t.Errorf("urgent work beside a full queue: %v", err)
	}
	wg.Wait()
	if got, want := b.rows(), []string{"test-urgent"}; !cmp.Equal(got, want) {
		t.Errorf("what was written differs:\n%s", cmp.Diff(want, got))
	}
}

func TestUrgentWorkIsDoneFirst(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	release := b.hold()
	var mu sync.Mutex
	var order []string
	note := func(what string) func(*sqlite.Tx) error {
		return func(*sqlite.Tx) error {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, what)
			return nil
		}
	}
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() { _ = b.Write(t.Context(), note("send")) })
		b.queued(i + 1)
	}
	for i := range 10 {
		wg.Go(func() { _ = b.WriteUrgent(t.Context(), note("check")) })
		b.queued(10 + i + 1)
	}
	release()
	wg.Wait()
	if len(order) != 20 {
		t.Fatalf("%d pieces of work were done, want 20: %v", len(order), order)
	}
	// The first piece of a commit is whichever the writer woke for.
	if i := slices.Index(order[1:], "send"); slices.Contains(order[1+i:], "check") {
		t.Errorf("checks were done after sends: %v", order)
	}
}

func TestACallerThatLeftBeforeTheWorkBeganChangesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	release := b.hold()
	ctx, leave := context.WithCancelCause(t.Context())
	left := errors.New("the client hung up")
	result := make(chan error, 1)
	go func() { result <- b.Write(ctx, put("test-left")) }()
	b.queued(1)
	leave(left)
	if err := <-result; !errors.Is(err, verify.ErrUnavailable) || !errors.Is(err, left) || errors.Is(err, verify.ErrOutcomeUnknown) {
		t.Errorf("Write = %v, want ErrUnavailable with the cause", err)
	}
	release()
	if err := b.Write(t.Context(), put("test-next")); err != nil {
		t.Fatal(err)
	}
	if got, want := b.rows(), []string{"test-next"}; !cmp.Equal(got, want) {
		t.Errorf("what was written differs:\n%s", cmp.Diff(want, got))
	}
}

func TestWorkOnceBegunIsCommittedThoughItsCallerLeft(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ctx, leave := context.WithCancel(t.Context())
	begun, free := make(chan struct{}), make(chan struct{})
	var once sync.Once
	result := make(chan error, 1)
	go func() {
		result <- b.Write(ctx, func(tx *sqlite.Tx) error {
			once.Do(func() { close(begun); <-free })
			return put("test-begun")(tx)
		})
	}()
	b.within("the work to begin", begun)
	leave()
	if err := <-result; !errors.Is(err, verify.ErrOutcomeUnknown) || !errors.Is(err, context.Canceled) {
		t.Errorf("Write = %v, want ErrOutcomeUnknown with the cause (V-07)", err)
	}
	close(free)
	if err := b.Write(t.Context(), put("test-next")); err != nil {
		t.Fatal(err)
	}
	if got, want := b.rows(), []string{"test-begun", "test-next"}; !cmp.Equal(got, want) {
		t.Errorf("what was written differs:\n%s", cmp.Diff(want, got))
	}
}

func TestReadersDoNotWaitForTheWriter(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	release := b.hold()
	defer release()
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := b.Ping(t.Context()); err != nil {
			t.Errorf("Ping beside a held writer: %v", err)
		}
	}()
	b.within("a read beside a held writer", done)
}

func TestCloseFinishesTheWorkThatWaits(t *testing.T) {
	t.Parallel()
	path := made(t)
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Rest()
	b := bench{s, t, nil}
	release := b.hold()
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := s.Write(context.Background(), put(fmt.Sprintf("test-%02d", i))); err != nil {
				t.Errorf("work that waited when the store was closed: %v", err)
			}
		})
	}
	b.queued(20)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	release()
	wg.Wait()
	if err := <-closed; err != nil {
		t.Errorf("Close: %v", err)
	}
	if err := s.Write(t.Context(), put("test-late")); !errors.Is(err, verify.ErrUnavailable) {
		t.Errorf("work after Close = %v, want ErrUnavailable", err)
	}
	db := raw(t, path)
	if got := names(t, db); len(got) != 20 {
		t.Errorf("%d rows are in the closed database, want 20", len(got))
	}
}

// TestAClosedStoreLeavesNoGoroutine runs alone: others' goroutines would be
// counted.
func TestAClosedStoreLeavesNoGoroutine(t *testing.T) { //nolint:paralleltest // see above
	before := goleak.IgnoreCurrent()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: made(t), Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Write(t.Context(), put("test-a")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	goleak.VerifyNone(t, before)
}

// raw opens the file beside the store.
func raw(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func TestTheWriterSyncsEveryCommit(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, want := range map[string]string{"synchronous": "2", "journal_mode": "wal", "wal_autocheckpoint": "0"} {
		if got, err := b.WriterPragma(t.Context(), name); err != nil || got != want {
			t.Errorf("PRAGMA %s on the writer's connection = %q, %v; want %s (D-01)", name, got, err, want)
		}
	}
}
