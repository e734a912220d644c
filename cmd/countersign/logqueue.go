package main

import (
	"bytes"
	"io"
	"sync"
	"time"
)

// Bounds of a logQueue.
const (
	logLines    = 1000                   // that wait; what comes then is dropped and counted
	logPatience = 100 * time.Millisecond // how long who logs waits for the line to be written
	logFlush    = time.Second            // how long the end of the process waits for all lines
)

// logQueue writes lines one after the other from a goroutine of its own, so that
// nobody waits for good where they do not flow: a server whose log nobody reads
// goes on, and ends when it is told to (D-09). While they flow, a line is written
// when Write returns: none is lost however the process ends.
type logQueue struct {
	to    io.Writer
	tell  func(lost int) error // says in the log how many lines were dropped
	lines chan logLine
	ended chan struct{} // closed when the goroutine has ended

	mu     sync.Mutex // guards what follows
	lost   int        // lines dropped since one was taken
	stuck  bool       // a line took longer than logPatience, and nothing waits for others until all are written
	closed bool
}

// logLine is a line to be written.
type logLine struct {
	text    []byte
	lost    int           // lines dropped before it
	written chan struct{} // closed when it was, or could not be
}

// newLogQueue returns a queue of lines for to. tell writes to to itself. Close it
// when done.
func newLogQueue(to io.Writer, tell func(lost int) error) *logQueue {
	q := &logQueue{to: to, tell: tell, lines: make(chan logLine, logLines), ended: make(chan struct{})}
	go q.run()
	return q
}

// Write takes a line. It waits a moment for it to be written, unless lines do not
// flow. It never fails. Many may call it at once.
func (q *logQueue) Write(text []byte) (int, error) {
	if written := q.put(text); written != nil && !within(logPatience, written) {
		q.mu.Lock()
		defer q.mu.Unlock()
		select {
		case <-written: // after all
		default:
			q.stuck = true // until drained
		}
	}
	return len(text), nil
}

// put queues a line, or drops it. It returns what tells that the line was written,
// nil if that is not to be waited for.
func (q *logQueue) put(text []byte) <-chan struct{} {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return nil
	}
	l := logLine{bytes.Clone(text), q.lost, make(chan struct{})}
	select {
	case q.lines <- l:
		q.lost = 0
	default:
		q.lost++
		return nil
	}
	if q.stuck {
		return nil
	}
	return l.written
}

// within waits for bound until done is closed, and reports whether it is.
func within(bound time.Duration, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	default:
	}
	timer := time.NewTimer(bound)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}

// run writes lines until the queue is closed.
func (q *logQueue) run() {
	defer close(q.ended)
	lost := 0 // lines dropped, or not written, and not told of
	for l := range q.lines {
		lost = q.told(lost + l.lost)
		if _, err := q.to.Write(l.text); err != nil {
			lost++
		}
		close(l.written)
		lost = q.told(lost + q.drained())
	}
}

// told says how many lines were lost and returns how many there are still to be
// told of: all, where that cannot be written either.
func (q *logQueue) told(lost int) int {
	if lost > 0 && q.tell(lost) == nil {
		return 0
	}
	return lost
}

// drained lets lines be waited for again once none is left, and returns how many
// were dropped after the last.
func (q *logQueue) drained() (lost int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.lines) > 0 {
		return 0
	}
	lost, q.lost, q.stuck = q.lost, 0, false
	return lost
}

// close takes no more lines and waits a second at most for those that it has: where
// they do not flow, the process ends without them.
func (q *logQueue) close() {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		close(q.lines)
	}
	q.mu.Unlock()
	within(logFlush, q.ended)
}
