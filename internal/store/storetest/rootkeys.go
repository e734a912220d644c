package storetest

import (
	"crypto/rand"
	"errors"
	"testing"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/registry"
	"github.com/countersign/countersign/internal/verify"
)

// While root keys are changed node by node, one may be asked for what another
// sent under a key it does not have (C-06).
func unjudged(t *testing.T, b *bench) {
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, limited := range []bool{false, true} {
		sent := b.send(order{limited: limited, rules: guard.Compat(10)})
		subject := otp.Subject{Account: sent.Account, ID: sent.ID}
		a := b.attempt(sent.Ref, rightCode)
		for _, once := range []verify.Idempotency{{}, idem(7, 1)} {
			a.Guess, a.Idempotency = otp.NewGuess(keys, subject, otp.NewCode(rightCode)), once
			if c, err := b.Store.CountAttempt(t.Context(), a); !errors.Is(err, verify.ErrKeyUnknown) || !errors.Is(err, verify.ErrUnavailable) {
				t.Errorf("a check without the OTP's key: %v, %v; want ErrKeyUnknown", c.Verdict, err)
			}
		}
		if rec := b.read(sent.Ref); rec.Attempts != 0 || rec.State != otp.Active {
			t.Errorf("%d attempts and %v after checks that judged nothing", rec.Attempts, rec.State)
		}
		if c := b.check(sent.Ref, rightCode); c.Verdict != otp.Right || c.Record.Attempts != 1 {
			t.Errorf("with the key: %v with %d attempts; want Right with 1", c.Verdict, c.Record.Attempts)
		}
		a.Idempotency = verify.Idempotency{}
		if c, err := b.Store.CountAttempt(t.Context(), a); err != nil || c.Verdict != otp.Closed {
			t.Errorf("a check of a final OTP without its key: %v, %v; want Closed, for which no code is compared", c.Verdict, err)
		}
	}
}

func keepsToRootKeys(t *testing.T, b *bench) {
	for _, c := range []struct {
		current, index otp.KeyID
		known          []otp.KeyID
		want           error
	}{
		{1<<32 - 1, 1<<32 - 1, []otp.KeyID{1<<32 - 1}, nil},
		{1<<32 - 1, 1<<32 - 1, []otp.KeyID{1<<32 - 1}, nil},
		{2, 2, []otp.KeyID{2}, registry.ErrOtherKey},
		{2, 1<<32 - 1, []otp.KeyID{2, 1<<32 - 1}, nil},
		{1<<32 - 1, 1<<32 - 1, []otp.KeyID{1<<32 - 1}, registry.ErrOtherKey},
		{3, 2, []otp.KeyID{3, 1<<32 - 1, 2}, registry.ErrIndexOrder},
		{1<<32 - 1, 1<<32 - 1, []otp.KeyID{1<<32 - 1, 2}, nil}, // what was refused changed nothing
		{2, 2, []otp.KeyID{2, 1<<32 - 1}, registry.ErrIndexOrder},
		{2, 1<<32 - 1, []otp.KeyID{2, 1<<32 - 1}, nil},
		{2, 2, []otp.KeyID{2}, registry.ErrIndexKey},
		{4, 2, []otp.KeyID{4, 2}, registry.ErrIndexKey}, // and the database is bound to it
		{2, 2, []otp.KeyID{2}, registry.ErrOtherKey},
		{4, 1<<32 - 1, []otp.KeyID{4, 2, 1<<32 - 1}, nil}, // found again
	} {
		if err := b.Store.BindKeys(t.Context(), c.current, c.index, c.known); !errors.Is(err, c.want) {
			t.Errorf("BindKeys(%d, %d, %v) = %v; want %v", c.current, c.index, c.known, err, c.want)
		}
	}
}
