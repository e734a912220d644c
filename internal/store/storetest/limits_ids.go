package storetest

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/verify"
)

// limitedIDs sends limited OTPs whose ids are taken: a store may keep those apart
// by recipient and by id too.
func limitedIDs(t *testing.T, b *bench) {
	rules := guard.Rules{Sends: []guard.Window{{Max: 100, Per: 10 * time.Minute}}}
	send := func(id, to string) verify.NewOTP { return b.newOTP(order{id: id, to: to, limited: true, rules: rules}) }
	const first, second = "+4915112345678", "+4915112345679"
	wantTaken := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, verify.ErrIDTaken) {
			t.Errorf("%s = %v, want ErrIDTaken", what, err)
		}
	}

	id := uuid.NewString()
	b.send(order{id: id, to: first, limited: true, rules: rules})
	for _, to := range []string{first, second} {
		_, err := b.Store.CreateOTP(t.Context(), send(id, to))
		wantTaken("a second send with the id, to "+to, err)
	}
	b.send(order{id: uuid.NewString(), to: second, limited: true, rules: rules}) // nothing of the refused is in the way

	// At once, beside others so that stores do them together.
	const pairs = 30
	ended := make(chan error, 3*pairs)
	for i := range pairs {
		id := uuid.NewString()
		for _, n := range []verify.NewOTP{
			send(id, fmt.Sprintf("+49151123%05d", 2*i)), send(uuid.NewString(), first), send(id, fmt.Sprintf("+49151123%05d", 2*i+1)),
		} {
			go func() {
				_, err := b.Store.CreateOTP(context.WithoutCancel(t.Context()), n)
				ended <- err
			}()
		}
	}
	sent := 0
	for range cap(ended) {
		if err := <-ended; err == nil {
			sent++
		} else {
			wantTaken("a send at once with another of its id", err)
		}
	}
	if sent != 2*pairs {
		t.Errorf("%d sends went out, want %d: one of each id", sent, 2*pairs)
	}
}
