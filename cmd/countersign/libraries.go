package main

import (
	"bytes"
	"context"
	"io"
	"log"
	"log/slog"
)

// unsolicited begins what net/http says of a peer that sends more than its
// answer on a connection that is kept.
const unsolicited = "Unsolicited response received on idle HTTP channel"

// silenceLibraries drops what libraries write to the standard logger. It is the
// process's own, so main calls it and nothing else.
//
// Only net/http writes there while a command runs, and quotes its peers: what
// comes after an answer is what a gateway echoes of a message, or what an
// endpoint of a customer chose. Operators miss nothing: what became of a request
// is in its error, and servers have a log of their own (http.Server.ErrorLog).
// Other libraries have nothing to say there either: pgx and SQLite return errors,
// goose only writes where it is told to be verbose.
func silenceLibraries() {
	log.SetFlags(0)
	log.SetOutput(io.Discard)
}

// libraryLog takes what libraries write to the standard logger and says, for
// debug, only that there was something: no word of it (P-06).
type libraryLog struct{ to *slog.Logger }

// Write takes one line.
func (l libraryLog) Write(line []byte) (int, error) {
	ctx := context.Background()
	if bytes.HasPrefix(line, []byte(unsolicited)) {
		l.to.DebugContext(ctx, "a peer sent more than its answer; the connection was closed")
	} else {
		l.to.DebugContext(ctx, "a library wrote a line that is not repeated here")
	}
	return len(line), nil
}
