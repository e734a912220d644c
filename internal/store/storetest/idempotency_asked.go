package storetest

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/verify"
)

// asksForAnswers asks for answers that there are none of: it takes no key from who
// comes later, and nobody who asks stands in the way of another.
func asksForAnswers(t *testing.T, b *bench) {
	none := func(i verify.Idempotency) {
		t.Helper()
		if _, err := b.Store.Answered(t.Context(), acme, i); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("what nobody was answered: %v, want ErrNotFound", err)
		}
	}
	var all sync.WaitGroup
	for n := range byte(8) {
		all.Go(func() { none(idem(1, n)) })
	}
	all.Wait()
	first := b.send(order{idem: idem(1, 9)})

	b.wall.Add(24 * time.Hour)
	none(idem(1, 9)) // an answer that is over is no more in the way than none
	none(idem(1, 8))
	second := b.send(order{idem: idem(1, 8)})
	if first.ID == second.ID {
		t.Error("the answer was repeated after 24 h")
	}
	if kept, err := b.Store.Answered(t.Context(), acme, idem(1, 8)); err != nil || kept.Record.ID != second.ID {
		t.Errorf("what was answered: %v, %v; want id %s", kept.Record.ID, err, second.ID)
	}

	left, leave := context.WithCancel(t.Context())
	leave()
	if _, err := b.Store.Answered(left, acme, idem(2, 1)); err == nil || errors.Is(err, verify.ErrNotFound) {
		t.Errorf("what nobody waits for: %v; want an error that does not say that there is none", err)
	}
}
