package secret_test

import (
	"encoding/base64"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReceiptTokensAreLongDifferByCarrierAndOutliveARotation(t *testing.T) {
	t.Parallel()
	first, second := root(t), root(t)
	before := ring(t, first)
	after := ring(t, second, first)
	a, b := before.ReceiptTokens("a"), before.ReceiptTokens("b")
	if len(a) != 1 || len(b) != 1 || a[0] == b[0] {
		t.Fatalf("tokens %q and %q; want one each that differ", a, b)
	}
	if raw, err := base64.RawURLEncoding.DecodeString(a[0]); err != nil || len(raw) != 32 {
		t.Errorf("token %q is %d bytes, %v; want 32 in base64url", a[0], len(raw), err)
	}
	rotated := after.ReceiptTokens("a")
	if len(rotated) != 2 || rotated[0] == a[0] {
		t.Fatalf("after a rotation %q; want a new token and the old one", rotated)
	}
	if d := cmp.Diff(a[0], rotated[1]); d != "" {
		t.Errorf("the old token (-want +got):\n%s", d)
	}
}
