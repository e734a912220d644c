package main

import (
	"context"
	"io"
)

// LogLines is how many lines wait to be logged.
const LogLines = logLines

// NewLogQueue is newLogQueue.
var NewLogQueue = newLogQueue

// Close closes a queue whose lines flow, and waits until all are written, however
// slow the machine is.
func (q *logQueue) Close() {
	q.close()
	<-q.ended
}

// Run is run on streams that are no files.
func Run(ctx context.Context, args []string, in io.Reader, out, errs io.Writer, environ []string) int {
	return run(ctx, args, streams{in, out, errs}, environ)
}
