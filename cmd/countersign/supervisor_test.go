package main_test

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A unit of Type=notify counts as started, and what waits for it goes on, when it
// has said so.
func TestTheServiceManagerHearsWhenTheServerIsReadyAndWhenItStops(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "cs") //nolint:usetesting // the address of a socket is at most 107 bytes long
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	heard := func() string {
		t.Helper()
		var b [256]byte
		if err := manager.SetReadDeadline(time.Now().Add(patience)); err != nil {
			t.Fatal(err)
		}
		n, err := manager.Read(b[:])
		if err != nil {
			t.Fatalf("the service manager heard nothing: %v", err)
		}
		return string(b[:n])
	}
	s := newPlace(t, "NOTIFY_SOCKET="+manager.LocalAddr().String()).serve()
	if got := heard(); got != "READY=1" {
		t.Errorf("heard %q at the start; want READY=1", got)
	}
	if status, _, err := s.get("/livez"); err != nil || status != http.StatusOK {
		t.Errorf("/livez = %d, %v", status, err)
	}
	if code := s.end(syscall.SIGTERM); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.errs)
	}
	if got := heard(); got != "STOPPING=1" {
		t.Errorf("heard %q at the end; want STOPPING=1", got)
	}
}

func TestAServerWhoseServiceManagerDoesNotListenServesAndSaysSo(t *testing.T) {
	t.Parallel()
	s := newPlace(t, "NOTIFY_SOCKET="+filepath.Join(t.TempDir(), "nobody")).serve()
	if code := s.end(syscall.SIGTERM); code != 0 || !strings.Contains(s.errs.String(), "the service manager could not be told") {
		t.Errorf("exit code %d, said\n%s", code, s.errs)
	}
}
