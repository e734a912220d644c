package admission

import (
	"sync"

	"github.com/countersign/countersign/internal/verify"
)

// firsts are the requests with an idempotency key that this process has under way.
// A repetition that comes meanwhile is refused: it would only take a place beside
// the first, whose answer it gets when it comes again (V-08). At another node it
// waits for the first in the database.
type firsts struct {
	mu       sync.Mutex
	underWay map[key]key // fingerprints by the key that they came with
}

// key is what a verify.Idempotency is made of.
type key = [16]byte

// begin has a request be the first with its key until end is called. While another
// is, the error is verify.ErrIdempotencyRunning, or verify.ErrIdempotencyMismatch if
// that is another request.
func (f *firsts) begin(i verify.Idempotency) (end func(), err error) {
	if i.IsZero() {
		return func() {}, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch first, running := f.underWay[i.Key]; {
	case running && first != i.Fingerprint:
		return nil, verify.ErrIdempotencyMismatch
	case running:
		return nil, verify.ErrIdempotencyRunning
	}
	if f.underWay == nil {
		f.underWay = map[key]key{}
	}
	f.underWay[i.Key] = i.Fingerprint
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.underWay, i.Key)
	}, nil
}
