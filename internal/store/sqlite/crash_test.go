//go:build linux

package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/verify"
)

// childEnv makes the test binary play one of children instead of testing: what
// kills, limits or starves a process is done to one of its own.
const childEnv = "COUNTERSIGN_SQLITE_CHILD"

// children play on the database at path; what they return is the exit's error.
var children = map[string]func(path string) error{
	"writer":        childWriter,
	"lives":         childLives,
	"full disk":     childFullDisk,
	"full at end":   childFullAtEnd,
	"no sync":       childNoSync,
	"no checkpoint": childNoCheckpoint,
}

func TestMain(m *testing.M) {
	name, path, ok := strings.Cut(os.Getenv(childEnv), "=")
	if !ok {
		os.Exit(m.Run())
	}
	if err := children[name](path); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is a command that plays name on the database at path.
func child(t testing.TB, name, path string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+name+"="+path)
	return cmd
}

func openChild(path string) (*sqlite.Store, error) {
	return sqlite.Open(context.Background(), sqlite.Config{Path: path, Migrate: true, Log: slog.New(slog.DiscardHandler)})
}

// childWriter sends and checks as fast as it can and says so of each once it
// was acknowledged, until it is killed.
func childWriter(path string) error {
	s, err := openChild(path)
	if err != nil {
		return err
	}
	ctx := context.Background()
	_ = s.CreateAccount(ctx, account.Account{Name: "acme"}) // there after the first crash
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				id := uuid.NewString()
				n := newOTP(fatal{}, id, time.Hour)
				if _, err := s.CreateOTP(ctx, n); err != nil {
					say("error %v", err)
					return
				}
				say("sent %s", id)
				for _, code := range []string{"000000", rightCode} {
					c, err := s.CountAttempt(ctx, guess(id, code))
					if err != nil {
						say("error %v", err)
						return
					}
					say("checked %s %d %d", id, c.Record.Attempts, c.Record.State)
				}
			}
		})
	}
	wg.Wait()
	return nil
}

// fatal is a testing.TB for a child.
type fatal struct{ testing.TB }

func (fatal) Helper()           {}
func (fatal) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	t.Parallel()
	path := made(t)
	type life struct {
		attempts int
		state    otp.State
	}
	acknowledged := map[string]life{}
	const kills = 8
	for kill := range kills {
		cmd := child(t, "writer", path)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		// The child is killed amid its work, after some answers.
		lines := bufio.NewScanner(io.TeeReader(out, io.Discard))
		for n := 0; lines.Scan(); n++ {
			var id string
			var l life
			line := lines.Text()
			switch {
			case strings.HasPrefix(line, "sent "):
				acknowledged[strings.TrimPrefix(line, "sent ")] = life{0, otp.Active}
			case strings.HasPrefix(line, "checked "):
				if _, err := fmt.Sscanf(line, "checked %s %d %d", &id, &l.attempts, &l.state); err != nil {
					break // the last line was cut
				}
				acknowledged[id] = l
			case strings.HasPrefix(line, "error "):
				t.Fatalf("kill %d: the writer: %s", kill, line)
			}
			if n == 20+25*kill {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait()
	}
	s := openAt(t, path, time.Now)
	defer s.Close()
	for id, want := range acknowledged {
		rec, err := s.OTP(t.Context(), verify.Ref{Account: "acme", Origin: "test", ID: id})
		if err != nil {
			t.Errorf("the acknowledged OTP %s is lost: %v", id, err)
			continue
		}
		if rec.Attempts < want.attempts || want.state.Final() && rec.State != want.state {
			t.Errorf("OTP %s is %v with %d attempts; acknowledged were %v with %d", id, rec.State, rec.Attempts, want.state, want.attempts)
		}
	}
	whole(t, path)
	t.Logf("%d kills, %d OTPs acknowledged", kills, len(acknowledged))
	if len(acknowledged) < 10*kills {
		t.Errorf("only %d OTPs were acknowledged in %d lives: the test shows too little", len(acknowledged), kills)
	}
}

// whole asks SQLite whether the file is intact.
func whole(t testing.TB, path string) {
	t.Helper()
	var verdict string
	if err := raw(t, path).QueryRowContext(context.Background(), "PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		t.Errorf("integrity_check = %q, %v; want ok", verdict, err)
	}
}

func TestACopyOfTheFilesAtAnyMomentIsWhole(t *testing.T) {
	t.Parallel()
	path := made(t)
	s := openAt(t, path, time.Now)
	defer s.Close()
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	for i := range 50 {
		if _, err := s.CreateOTP(t.Context(), newOTP(t, fmt.Sprintf("o%d", i), time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	// What a power cut right now would leave: the database and its WAL, cut
	// behind the last commit and within the next. A copy takes longer than a power
	// cut: between its files, nothing may be moved from the one to the other.
	s.Rest()
	for _, tail := range []string{"", "half a frame that was never committed"} {
		copied := filepath.Join(t.TempDir(), "countersign.db")
		for _, end := range []string{"", "-wal"} {
			b, err := os.ReadFile(path + end)
			if err != nil {
				t.Fatal(err)
			}
			if end == "-wal" {
				b = append(b, tail...)
			}
			if err := os.WriteFile(copied+end, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c := openAt(t, copied, time.Now)
		for i := range 50 {
			if _, err := c.OTP(t.Context(), verify.Ref{Account: "acme", Origin: "test", ID: fmt.Sprintf("o%d", i)}); err != nil {
				t.Errorf("OTP o%d of the copy: %v", i, err)
			}
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		whole(t, copied)
	}
}
