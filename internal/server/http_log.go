package server

import (
	"context"
	"log"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// acceptTold is how often it is said that no connection can be taken: net/http
// tries again up to 200 times a second.
const acceptTold = time.Minute

// acceptError begins what net/http logs where it cannot take a connection.
const acceptError = "http: Accept error: "

// errorLog takes what net/http logs. Most of it is about connections that
// strangers broke, for debug; that no connection can be taken, as where the
// process has no file descriptors left, is the operator's to mend.
type errorLog struct {
	log *slog.Logger

	mu   sync.Mutex // guards told
	told time.Time
}

func newErrorLog(to *slog.Logger) *log.Logger { return log.New(&errorLog{log: to}, "", 0) }

// Write takes one line.
func (e *errorLog) Write(line []byte) (int, error) {
	ctx, text := context.Background(), strings.TrimSuffix(string(line), "\n")
	cause, failed := strings.CutPrefix(text, acceptError)
	switch {
	case !failed:
		e.log.DebugContext(ctx, "a connection broke", slog.String("what", text))
	case e.due():
		e.log.WarnContext(ctx, "no connection can be taken", slog.String("err", cause))
	}
	return len(line), nil
}

// due reports whether it is time to tell of accepting again.
func (e *errorLog) due() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := time.Now() //nolint:forbidigo // spaces lines of the log
	if !e.told.IsZero() && now.Sub(e.told) < acceptTold {
		return false
	}
	e.told = now
	return true
}
