package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/audit"
)

func filled(t *testing.T, n int) (*list, *audit.Log) {
	t.Helper()
	l := &list{}
	log := audit.New(l, keyring(t))
	for range n {
		if err := log.Append(t.Context(), audit.Entry{Action: audit.ActionErase, Actor: "cli root"}); err != nil {
			t.Fatal(err)
		}
	}
	return l, log
}

func TestACheckpointTellsOfARemovedEnd(t *testing.T) {
	t.Parallel()
	l, log := filled(t, 5)
	p, err := log.Prove(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	signed, err := log.Sign(p)
	if err != nil {
		t.Fatal(err)
	}
	c, err := audit.ParseCheckpoint(signed.String())
	if err != nil {
		t.Fatal(err)
	}
	if err := log.Since(t.Context(), c); err != nil {
		t.Errorf("an untouched list: %v", err)
	}
	kept := l.entries
	l.entries = kept[:4]
	if err := log.Since(t.Context(), c); !errors.Is(err, audit.ErrShortened) {
		t.Errorf("without its end: %v; want ErrShortened", err)
	}
	if n, err := log.Verify(t.Context()); n != 4 || err != nil {
		t.Errorf("the chain alone: %d, %v; want it not to notice", n, err)
	}
	// Whoever has the database and no key may go on from there.
	l.entries = slices.Clone(kept[:5])
	l.entries[4].Link = bytes.Repeat([]byte{1}, 32)
	if err := log.Since(t.Context(), c); !errors.Is(err, audit.ErrShortened) {
		t.Errorf("with another end: %v; want ErrShortened", err)
	}
}

func TestAForgedCheckpointIsRefused(t *testing.T) {
	t.Parallel()
	_, log := filled(t, 3)
	p, err := log.Prove(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := log.Sign(p)
	if err != nil {
		t.Fatal(err)
	}
	c.Entries = 2
	if err := log.Since(t.Context(), c); !errors.Is(err, audit.ErrCheckpoint) {
		t.Errorf("another count: %v; want ErrCheckpoint", err)
	}
	for _, text := range []string{"", "c1", "c1.3.zz.0.00", "c2" + strings.TrimPrefix(c.String(), "c1"), c.String() + ".x"} {
		if _, err := audit.ParseCheckpoint(text); !errors.Is(err, audit.ErrCheckpoint) {
			t.Errorf("%q: %v; want ErrCheckpoint", text, err)
		}
	}
}

// guarded is a list that several goroutines may use.
type guarded struct {
	mu sync.Mutex // guards list
	*list
}

func (g *guarded) AuditEntries(ctx context.Context, from int64, limit int) ([]audit.Sealed, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.list.AuditEntries(ctx, from, limit)
}

// shorten removes the newest entry.
func (g *guarded) shorten() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.entries = g.entries[:len(g.entries)-1]
}

func TestANodeLogsACheckpointEveryHourAndNoticesARemovedEnd(t *testing.T) {
	t.Parallel()
	keys := keyring(t)
	l := &guarded{list: &list{}}
	log := audit.New(l, keys)
	for range 3 {
		if err := log.Append(t.Context(), audit.Entry{Action: audit.ActionErase, Actor: "cli root"}); err != nil {
			t.Fatal(err)
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); log.Checkpoints(ctx, slog.New(slog.NewTextHandler(&out, nil))) }()
		synctest.Wait()
		if !strings.Contains(out.String(), "audit checkpoint\" entries=3 checkpoint=c1.3.") {
			t.Errorf("at the start: %s", out.String())
		}
		out.Reset()
		time.Sleep(time.Hour - time.Second)
		synctest.Wait()
		if out.Len() != 0 {
			t.Errorf("within the hour: %s", out.String())
		}
		l.shorten()
		time.Sleep(time.Second)
		synctest.Wait()
		if !strings.Contains(out.String(), "level=ERROR") || !strings.Contains(out.String(), "tampered") {
			t.Errorf("after the end was removed: %s", out.String())
		}
		cancel()
		<-done
	})
}

func TestACheckpointIsLoggedWhateverTheLeastLevelIs(t *testing.T) {
	t.Parallel()
	log := audit.New(&guarded{list: &list{}}, keyring(t))
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		loud := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelError}))
		go func() { defer close(done); log.Checkpoints(ctx, loud) }()
		synctest.Wait()
		if said := out.String(); !strings.Contains(said, "audit checkpoint\" entries=0 checkpoint=c1.0.") {
			t.Errorf("with log_level error: %q; want a checkpoint", said)
		}
		cancel()
		<-done
	})
}

func TestANodeSaysThatAKeyIsNotListedAndNotThatTheListWasTamperedWith(t *testing.T) {
	t.Parallel()
	store, _ := filled(t, 2)
	log := audit.New(store, keyring(t))
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); log.Checkpoints(ctx, slog.New(slog.NewTextHandler(&out, nil))) }()
		synctest.Wait()
		if said := out.String(); !strings.Contains(said, "level=ERROR") || !strings.Contains(said, "secret_key_previous") || strings.Contains(said, "tampered") {
			t.Errorf("without its key: %s", said)
		}
		cancel()
		<-done
	})
}
