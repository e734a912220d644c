package secret_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/secret"
)

func ring(t testing.TB, current secret.Root, previous ...secret.Root) *secret.Keyring {
	t.Helper()
	k, err := secret.NewKeyring(current, previous...)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestSealedDataOpensOnlyInItsContext(t *testing.T) {
	t.Parallel()
	k := ring(t, root(t))
	plain := []byte("483920")
	sealed := k.Seal(plain, "otp", "acme", "o1")
	if bytes.Contains(sealed, plain) {
		t.Error("the sealed bytes hold the plain text")
	}
	if got, err := k.Open(sealed, "otp", "acme", "o1"); err != nil || !bytes.Equal(got, plain) {
		t.Errorf("Open in the same context = %q, %v; want %q", got, err, plain)
	}
	for _, context := range [][]string{
		{},
		{"otp"},
		{"otp", "acme"},
		{"otp", "acme", "o2"},
		{"otp", "other", "o1"},
		{"callback", "acme", "o1"},
		{"otp", "acmeo1"},
		{"otp", "acme", "o1", ""},
		{"otpacme", "o1"},
		{"otp", "acm", "eo1"},
		{"acme", "otp", "o1"},
	} {
		if got, err := k.Open(sealed, context...); !errors.Is(err, secret.ErrSealed) || got != nil {
			t.Errorf("Open in the context %q = %q, %v; want ErrSealed", context, got, err)
		}
	}
	if got, err := ring(t, root(t)).Open(sealed, "otp", "acme", "o1"); !errors.Is(err, secret.ErrSealed) || got != nil {
		t.Errorf("Open under another key = %q, %v; want ErrSealed", got, err)
	}
}

func TestChangedBytesDoNotOpen(t *testing.T) {
	t.Parallel()
	k := ring(t, root(t))
	sealed := k.Seal([]byte("483920"), "c")
	for i := range sealed {
		for bit := range 8 {
			changed := bytes.Clone(sealed)
			changed[i] ^= 1 << bit
			if got, err := k.Open(changed, "c"); !errors.Is(err, secret.ErrSealed) || got != nil {
				t.Fatalf("with bit %d of byte %d turned, Open = %q, %v; want ErrSealed", bit, i, got, err)
			}
		}
	}
	for n := range sealed {
		if got, err := k.Open(sealed[:n], "c"); !errors.Is(err, secret.ErrSealed) || got != nil {
			t.Fatalf("cut to %d bytes, Open = %q, %v; want ErrSealed", n, got, err)
		}
	}
	if _, err := k.Open(append(bytes.Clone(sealed), 0), "c"); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("with a byte more, Open = %v; want ErrSealed", err)
	}
}

func TestSealingTwiceDiffers(t *testing.T) {
	t.Parallel()
	k := ring(t, root(t))
	if bytes.Equal(k.Seal([]byte("483920"), "c"), k.Seal([]byte("483920"), "c")) {
		t.Error("the same code sealed twice is the same bytes")
	}
}

func FuzzOpen(f *testing.F) {
	k := ring(f, root(f))
	f.Add(k.Seal([]byte("483920"), "c"), "c")
	f.Add([]byte{}, "")
	f.Add([]byte{0, 0, 0, 0, 1}, "x")
	f.Fuzz(func(t *testing.T, sealed []byte, context string) {
		if got, err := k.Open(sealed, "never sealed", context); err == nil {
			t.Errorf("Open of made-up bytes = %q, want ErrSealed", got)
		}
	})
}

func TestAKeyIsReadUntilItsRootIsDropped(t *testing.T) {
	t.Parallel()
	oldest, old, current := root(t), root(t), root(t)
	before := ring(t, oldest)
	sealed, index := before.Seal([]byte("483920"), "c"), before.Index("recipient", "acme", "+4915112345678")
	sum := before.Sum(before.Current(), "acme", "o1", "483920")

	rotated := ring(t, current, old, oldest)
	if got, err := rotated.Open(sealed, "c"); err != nil || string(got) != "483920" {
		t.Errorf("after the rotation Open = %q, %v; want what was sealed before", got, err)
	}
	if rotated.Sum(before.Current(), "acme", "o1", "483920") != sum {
		t.Error("after the rotation the digest under the earlier key is another")
	}
	if rotated.Index("recipient", "acme", "+4915112345678") != index {
		t.Error("after the rotation the index of a recipient is another")
	}
	if known := rotated.Known(); len(known) != 3 || known[0] != rotated.Current() || known[2] != before.Current() {
		t.Errorf("known keys %v, want the current %v first and the oldest %v last", known, rotated.Current(), before.Current())
	}
	fresh := rotated.Seal([]byte("111222"), "c")
	if _, err := before.Open(fresh, "c"); !errors.Is(err, secret.ErrSealed) {
		t.Errorf("new data is sealed under an earlier key: Open there = %v", err)
	}
	if _, err := ring(t, current).Open(fresh, "c"); err != nil {
		t.Errorf("new data is not sealed under the current key: %v", err)
	}
	if _, err := ring(t, current, old).Open(sealed, "c"); !errors.Is(err, secret.ErrSealed) || !errors.Is(err, secret.ErrKeyUnknown) {
		t.Errorf("with its root dropped, Open = %v; want ErrKeyUnknown, which is ErrSealed", err)
	}
}

func TestARootGivenTwiceIsOneKey(t *testing.T) {
	t.Parallel()
	r := root(t)
	if known := ring(t, r, r, r).Known(); len(known) != 1 {
		t.Errorf("%d keys from one root", len(known))
	}
	if _, err := secret.NewKeyring(secret.Root{}); !errors.Is(err, secret.ErrRoot) {
		t.Errorf("NewKeyring without a root = %v, want ErrRoot", err)
	}
	if _, err := secret.NewKeyring(r, secret.Root{}); !errors.Is(err, secret.ErrRoot) {
		t.Errorf("NewKeyring with an empty previous root = %v, want ErrRoot", err)
	}
}

// Where a new root is to be read everywhere before any node writes with it.
func TestTheIndexIsThatOfTheRootListedLast(t *testing.T) {
	t.Parallel()
	old, next := root(t), root(t)
	want := ring(t, old).Index("recipient")
	for name, k := range map[string]*secret.Keyring{"before": ring(t, old, next, old), "after": ring(t, next, old)} {
		if k.Index("recipient") != want {
			t.Errorf("%s the change the index of a recipient is another", name)
		}
		if got, want := k.IndexKey(), ring(t, old).Current(); got != want {
			t.Errorf("%s the change the index key is %d; want %d, the old one", name, got, want)
		}
	}
	if k := ring(t, old, next, old); len(k.Known()) != 2 || k.Current() != ring(t, old).Current() {
		t.Errorf("known keys %v; want the old one, which is current, and the new one", k.Known())
	}
}

func TestEachPurposeHasItsOwnKey(t *testing.T) {
	t.Parallel()
	k := ring(t, root(t))
	code := k.Sum(k.Current(), "x")
	audit, ok := k.Audit(k.Current(), "x")
	index := k.Index("x")
	if !ok || code == otp.Digest(audit) || bytes.Equal(code[:16], index[:]) || bytes.Equal(audit[:16], index[:]) {
		t.Error("two purposes hash alike")
	}
	if _, ok := k.Audit(k.Current()+1, "x"); ok {
		t.Error("Audit under an unknown key says ok")
	}
}

func TestHashesKeepTheEdgesOfTheirParts(t *testing.T) {
	t.Parallel()
	k := ring(t, root(t))
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(rapid.StringMatching(`[ab\x00]{0,3}`), 0, 4)
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		same := fmt.Sprintf("%q", a) == fmt.Sprintf("%q", b)
		if got := k.Index(a...) == k.Index(b...); got != same {
			t.Fatalf("Index of %q and of %q is the same: %v", a, b, got)
		}
		if got := k.Sum(k.Current(), a...) == k.Sum(k.Current(), b...); got != same {
			t.Fatalf("Sum of %q and of %q is the same: %v", a, b, got)
		}
	})
}

func TestAKeyringIsUsedByManyAtOnce(t *testing.T) {
	t.Parallel()
	k := ring(t, root(t))
	want, index := k.Sum(k.Current(), "acme", "o1", "483920"), k.Index("x")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for range 500 {
				context := strings.Repeat("c", i)
				if k.Sum(k.Current(), "acme", "o1", "483920") != want || k.Index("x") != index {
					t.Error("a hash differs under concurrency")
					return
				}
				if got, err := k.Open(k.Seal([]byte(context), context), context); err != nil || string(got) != context {
					t.Errorf("Open = %q, %v; want %q", got, err, context)
					return
				}
			}
		})
	}
	wg.Wait()
}
