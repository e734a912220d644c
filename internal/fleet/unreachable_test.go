package fleet_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/fleet"
)

// lines is a log that can be read while it is written.
type lines struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

func TestAHostThatIsNotReachedIsNamedWithFileAndLine(t *testing.T) {
	t.Parallel()
	s, path := settings(t, "\n"+smppTOML("a"), "auto", environ()...)
	var log lines
	d := deps()
	d.Log = slog.New(slog.NewTextHandler(&log, nil))
	f, err := fleet.New(s, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	for deadline := time.Now().Add(patience); !strings.Contains(log.String(), `msg="not bound" at=`+path+":2 carrier=a"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the log does not say where the carrier stands:\n%s", log.String())
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v; want nil", err)
	}
}
