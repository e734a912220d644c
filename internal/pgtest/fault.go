package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Kill ends the server as a power cut would: every process of it at once. What
// it had synced is there after StartAgain.
func (c *Cluster) Kill(t testing.TB) {
	t.Helper()
	if err := c.leave(func() error { return c.signal(syscall.SIGKILL) }); err != nil {
		t.Fatalf("kill the cluster: %v", err)
	}
}

// Freeze stops every process of the server where it is: connections stay open
// and nothing answers. It thaws with the test's end.
func (c *Cluster) Freeze(t testing.TB) {
	t.Helper()
	t.Cleanup(func() { _ = c.signal(syscall.SIGCONT) }) // it may be gone by then
	if err := c.signal(syscall.SIGSTOP); err != nil {
		t.Fatalf("freeze the cluster: %v", err)
	}
}

// Thaw lets the server go on after Freeze.
func (c *Cluster) Thaw(t testing.TB) {
	t.Helper()
	if err := c.signal(syscall.SIGCONT); err != nil {
		t.Fatalf("thaw the cluster: %v", err)
	}
}

// Promote makes a standby a primary and waits until it takes writes.
func (c *Cluster) Promote(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), startTime)
	defer cancel()
	if out, err := c.command(ctx, "pg_ctl", "-D", c.data(), "-w", "promote").CombinedOutput(); err != nil {
		t.Fatalf("promote the standby: %v\n%s", err, out)
	}
}

// Socket is the path of the server's Unix socket.
func (c *Cluster) Socket() string { return filepath.Join(c.dir, ".s.PGSQL.5432") }

// signal sends a signal to every process of the server: first to the one that
// starts others, so that none is missed. Killed ones it waits for.
func (c *Cluster) signal(s syscall.Signal) error {
	text, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return fmt.Errorf("read the server's process id: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	first, err := strconv.Atoi(line)
	if err != nil {
		return fmt.Errorf("read the server's process id: %w", err)
	}
	if s != syscall.SIGCONT { // who stands still starts no other
		_ = syscall.Kill(first, syscall.SIGSTOP)
	}
	all := append([]int{first}, children(first)...)
	for _, pid := range all {
		if err := syscall.Kill(pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal the server: %w", err)
		}
	}
	for deadline := time.Now().Add(stopTime); s == syscall.SIGKILL && slices.ContainsFunc(all, alive); time.Sleep(time.Millisecond) { //nolint:forbidigo // a test's patience
		if time.Now().After(deadline) { //nolint:forbidigo // as above
			return errors.New("the server's processes do not end")
		}
	}
	return nil
}

// children are the processes that another one started.
func children(parent int) []int {
	var found []int
	all, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range all {
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		if _, ppid := stat(pid); ppid == parent {
			found = append(found, pid)
		}
	}
	return found
}

func alive(pid int) bool {
	state, _ := stat(pid)
	return state != "" && state != "Z"
}

// stat reads a process's state and its parent; "" for none.
func stat(pid int) (state string, parent int) {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return "", 0
	}
	// The name in parentheses may hold anything.
	rest := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(rest) < 2 {
		return "", 0
	}
	parent, _ = strconv.Atoi(rest[1])
	return rest[0], parent
}
