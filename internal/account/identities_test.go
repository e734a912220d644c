package account_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
)

func TestKeysAreRememberedAlsoAfterAFailoverThatLostChanges(t *testing.T) {
	t.Parallel()
	d, _, _, _ := acme(t)
	a := account.NewAuthenticator(d, time.Now)
	call := func() {
		t.Helper()
		if _, err := a.Authenticate(t.Context(), chosenText); err != nil {
			t.Fatal(err)
		}
	}
	d.change(func() { d.version = 2000 })
	call()
	d.change(func() { d.version = 1000 })
	before := d.looked()
	for range 10 {
		call()
	}
	if got := d.looked() - before; got != 1 {
		t.Errorf("%d look-ups of one key with a version that was taken back, want 1", got)
	}
}
