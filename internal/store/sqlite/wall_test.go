package sqlite_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/storetest"
)

// wallLog is a log that is read while it is written.
type wallLog struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *wallLog) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *wallLog) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

func TestAWallClockThatIsSetBackIsToldOnceEachTime(t *testing.T) {
	t.Parallel()
	wall, log := &storetest.Wall{}, &wallLog{}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: made(t), Wall: wall.Now, Log: slog.New(slog.NewJSONHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const warning = `"level":"WARN","msg":"the wall clock is behind`
	if n := log.count(warning); n != 0 {
		t.Fatalf("%d warnings before it was set back", n)
	}
	wall.Add(-time.Hour)
	for deadline := time.Now().Add(patience); log.count(warning) == 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no warning")
		}
	}
	if log.count(`"behind":"1h0m0s"`) != 1 {
		t.Errorf("it is not said by how much in words: %s", &log.text)
	}
}
