package audit

import (
	"context"
	"crypto/hmac"
	"fmt"
	"math"
)

// Proof is what a look at the whole list came to.
type Proof struct {
	Entries int64  // that hold together, from the first
	Head    []byte // link of the last of them, nil if there is none
	// Broken is the number of the first entry that does not follow from those
	// before: it was changed, inserted or made with an unknown key, or the one
	// that should be here was removed. 0 if all hold together.
	Broken int64
	// Keyless says that Broken was made with a key that is not listed, and that
	// nothing else is known to be wrong with it.
	Keyless bool
}

// Holds reports whether the whole list holds together.
func (p Proof) Holds() bool { return p.Broken == 0 }

// Err is nil of a list that holds together, and else ErrKeyUnknown or ErrChain
// with the number of the first bad entry.
func (p Proof) Err() error {
	switch {
	case p.Holds():
		return nil
	case p.Keyless:
		return fmt.Errorf("entry %d of the audit list: %w", p.Broken, ErrKeyUnknown)
	}
	return fmt.Errorf("entry %d: %w", p.Broken, ErrChain)
}

// Prove reads the whole list. That the newest entries are missing it cannot
// tell: compare Entries and Head with those of an earlier proof.
func (l *Log) Prove(ctx context.Context) (Proof, error) { return l.prove(ctx, Proof{}) }

// prove goes on from p.
func (l *Log) prove(ctx context.Context, p Proof) (Proof, error) {
	for {
		from := p.Entries + 1
		if p.Entries == 0 {
			from = math.MinInt64 // nothing belongs before the first: what stands there was put in
		}
		entries, err := l.store.AuditEntries(ctx, from, verifyBatch)
		if err != nil {
			return p, fmt.Errorf("read audit list: %w", err)
		}
		if len(entries) == 0 {
			return p, nil
		}
		for _, e := range entries {
			link, ok := l.link(e, p.Head)
			next := e.Seq == p.Entries+1
			if !next || !ok || !hmac.Equal(link, e.Link) {
				p.Broken, p.Keyless = p.Entries+1, next && !ok
				return p, nil
			}
			p.Entries, p.Head = e.Seq, e.Link
		}
	}
}
