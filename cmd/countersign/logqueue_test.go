package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	main "github.com/countersign/countersign/cmd/countersign"
	"github.com/countersign/countersign/internal/stolen"
)

// gate is a log that takes nothing while it is locked.
type gate struct {
	sync.Mutex
	text  bytes.Buffer
	err   error
	asked atomic.Int32 // how often it was to take something
}

func (g *gate) Write(p []byte) (int, error) {
	g.asked.Add(1)
	g.Lock()
	defer g.Unlock()
	if g.err != nil {
		return 0, g.err
	}
	return g.text.Write(p)
}

// await waits until the log was to take something so often.
func (g *gate) await(t *testing.T, times int32) {
	t.Helper()
	for deadline := time.Now().Add(patience); g.asked.Load() < times; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("not in time")
		}
	}
}

// tell says in the log how many lines were lost.
func (g *gate) tell(lost int) error {
	_, err := fmt.Fprintf(g, "lost %d\n", lost)
	return err
}

func TestALineIsWrittenWhenWhoLoggedItGoesOn(t *testing.T) {
	t.Parallel()
	var g gate
	q := main.NewLogQueue(&g, g.tell)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for j := range 20 {
				_, _ = fmt.Fprintf(q, "%d.%d\n", i, j)
			}
		})
	}
	wg.Wait()
	q.Close()
	got := strings.Split(strings.TrimSpace(g.text.String()), "\n")
	if len(got) != 400 {
		t.Errorf("wrote %d lines; want all 400", len(got))
	}
	next := map[int]int{}
	for _, line := range got {
		var i, j int
		if _, err := fmt.Sscanf(line, "%d.%d", &i, &j); err != nil || j != next[i] {
			t.Fatalf("line %q; want %d.%d", line, i, next[i])
		}
		next[i]++
	}
}

func TestALogThatTakesNothingHoldsNobodyUpAndSaysLaterWhatItLost(t *testing.T) {
	t.Parallel()
	var g gate
	q := main.NewLogQueue(&g, g.tell)
	g.Lock()
	const lines = main.LogLines + 51 // one is under way, the queue holds the others, and 50 are too many
	for i := range lines {
		_, _ = fmt.Fprintf(q, "line %d\n", i)
		g.await(t, 1)
	}
	g.Unlock()
	q.Close() // with room again all that were taken are written
	got := strings.Split(strings.TrimSpace(g.text.String()), "\n")
	want := main.LogLines + 2
	if len(got) != want || got[0] != "line 0" || got[want-2] != fmt.Sprintf("line %d", main.LogLines) || got[want-1] != "lost 50" {
		t.Errorf("wrote %d lines, the last %q; want %d, the last that 50 were lost", len(got), got[max(0, len(got)-2):], want)
	}
	_, _ = io.WriteString(q, "too late\n") // from what was left behind; it does not panic
}

func TestLinesThatCouldNotBeWrittenAreTold(t *testing.T) {
	t.Parallel()
	g := gate{err: errors.New("no space left on device")}
	q := main.NewLogQueue(&g, g.tell)
	_, _ = io.WriteString(q, "a\n")
	_, _ = io.WriteString(q, "b\n")
	g.await(t, 5) // two lines, and to tell of the first, of it again and of both
	g.Lock()
	g.err = nil
	g.Unlock()
	_, _ = io.WriteString(q, "c\n")
	q.Close()
	if got := g.text.String(); got != "lost 2\nc\n" {
		t.Errorf("wrote %q; want that two lines were lost, and the third", got)
	}
}

// piped starts a server whose standard error is a pipe, and waits until it is
// ready.
func (p *place) piped() (s *serving, log *os.File) {
	p.t.Helper()
	read, write, err := os.Pipe()
	if err != nil {
		p.t.Fatal(err)
	}
	defer write.Close()
	p.t.Cleanup(func() { _ = read.Close() })
	s = p.serveTo(write)
	return s, read
}

func TestAServerWhoseLogNobodyReadsDrainsAndEnds(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	s := p.serveTo(write)
	// Full: nothing more goes in, from the server either.
	fd := int(write.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	for size := 4096; size > 0; {
		if _, err := syscall.Write(fd, bytes.Repeat([]byte("x"), size)); err != nil {
			size /= 2
		}
	}
	if err := syscall.SetNonblock(fd, false); err != nil {
		t.Fatal(err)
	}
	ending := stolen.Start(t).Begin()
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
	if ending.Exceeds(15 * time.Second) {
		t.Errorf("ended after %s; want at most 15 s", ending.Own())
	}
	_ = write.Close()
}

func TestAServerWhoseLogsReaderWentAwayGoesOnAndDrains(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	s, log := p.piped()
	if err := log.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil { // it logs what it reloaded
		t.Fatal(err)
	}
	s.await("/readyz")
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d; want 0", code)
	}
}

func TestACommandWhoseReaderWentAwayEndsAsOthersDo(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.done("account", "create", "acme")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	c := p.command(t.Context(), "account", "list")
	c.Stdout = write
	err = c.Run()
	_ = write.Close()
	failed, ok := errors.AsType[*exec.ExitError](err)
	if !ok || failed.Sys().(syscall.WaitStatus).Signal() != syscall.SIGPIPE {
		t.Errorf("ended with %v; want SIGPIPE, as of head", err)
	}
}

func TestADatabaseThatCannotBeOpenedForLackOfDescriptorsIsRefusedWithThatCause(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.done("account", "create", "acme")
	c := p.command(t.Context(), "-c", `ulimit -n 9; exec "$0" account list`, binary)
	c.Path = "/bin/sh"
	said, err := c.CombinedOutput()
	failed, ok := errors.AsType[*exec.ExitError](err)
	if !ok || failed.ExitCode() != 2 || !strings.Contains(string(said), "too many open files") || !strings.Contains(string(said), "a higher limit") {
		t.Errorf("ended with %v, said %s; want exit code 2 and the cause", err, said)
	}
}

func TestAServerThatCannotPrintItsFirstLinesSaysSoAndServes(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	errs, err := os.Create(filepath.Join(t.TempDir(), "errs"))
	if err != nil {
		t.Fatal(err)
	}
	defer errs.Close()
	c := p.command(t.Context(), "serve")
	c.Stdout, c.Stderr = full, errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said := func() string {
		text, err := os.ReadFile(errs.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	for deadline := time.Now().Add(patience); !strings.Contains(said(), `"msg":"serving"`); time.Sleep(10 * time.Millisecond) {
		select {
		case err := <-ended:
			t.Fatalf("it ended with %v\n%s", err, said())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not serve\n%s", said())
		}
	}
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Errorf("ended with %v", err)
	}
	if log := said(); !strings.Contains(log, "countersign key create --account default") || strings.Contains(log, "otp_live_") {
		t.Errorf("said\n%s\nwant which command makes a key, and no key", log)
	}
}
