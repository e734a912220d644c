package smpp

import (
	"sync"
	"time"
)

const (
	// maxFailed bounds what is remembered of failed messages; one that does not
	// fit is not repeated.
	maxFailed = 100_000
	// pastEnd is a wait beyond the code's end, by more than clocks differ: the
	// route goes on instead.
	pastEnd = time.Hour
)

// failed remembers messages that met 0x45 (RSUBMITFAIL), by their dedupe
// reference, until their code is over. The zero value is empty.
type failed struct {
	mu    sync.Mutex // guards what follows
	until map[string]time.Time
	swept time.Time
}

// again records that a message failed, and reports whether it had before, as
// far as is known.
func (f *failed) again(dedupe string, now, expires time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if now.Sub(f.swept) >= sweepEvery {
		f.swept = now
		for old, end := range f.until {
			if !now.Before(end) {
				delete(f.until, old)
			}
		}
	}
	if _, known := f.until[dedupe]; known || len(f.until) >= maxFailed {
		return true
	}
	if f.until == nil {
		f.until = map[string]time.Time{}
	}
	f.until[dedupe] = expires
	return false
}
