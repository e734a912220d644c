package phone_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/phone"
)

func TestFromE164TakesOnlyWhatRevealReturns(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"+1234567", "+123456789012345", "+0000000000000"} {
		n, err := phone.FromE164(s)
		if err != nil || n.Reveal() != s || n.IsZero() {
			t.Errorf("FromE164(%q) = %q, %v; want it back", s, n.Reveal(), err)
		}
	}
	for _, s := range []string{
		"", "+", "+123456", "+1234567890123456", "1234567", "+12345 67", "+12345678a", " +1234567", "+1234567\n", "+١٢٣٤٥٦٧٨",
	} {
		n, err := phone.FromE164(s)
		if err == nil || !n.IsZero() {
			t.Errorf("FromE164(%q) = %q, %v; want the zero Number and an error", s, n.Reveal(), err)
		}
	}
}

func TestNumbersCompareByTheirDigits(t *testing.T) {
	t.Parallel()
	a, _ := phone.FromE164("+4915112345678")
	b, _ := phone.Syntax("0049 151 1234-5678")
	if a != b {
		t.Errorf("%q == %q is false, want true", a.Reveal(), b.Reveal())
	}
	if c, _ := phone.FromE164("+4915112345679"); a == c {
		t.Errorf("%q == %q is true, want false", a.Reveal(), c.Reveal())
	}
}

func TestTheZeroNumberIsNoNumber(t *testing.T) {
	t.Parallel()
	var n phone.Number
	if !n.IsZero() || n.Reveal() != "" || n.String() != "" || n.CanExist() || n.Info() != (phone.Info{}) {
		t.Errorf("zero Number: IsZero %v, Reveal %q, String %q, CanExist %v, Info %+v",
			n.IsZero(), n.Reveal(), n, n.CanExist(), n.Info())
	}
}

func TestANumberIsMaskedInItsFirstAndLastDigits(t *testing.T) {
	t.Parallel()
	for e164, want := range map[string]string{
		"+4915112345678": "+49…78",
		"+2907890":       "+…90",
		"+29078901":      "+…01",
		"+290789012":     "+29…12",
	} {
		n, err := phone.FromE164(e164)
		if err != nil || n.String() != want {
			t.Errorf("FromE164(%q).String() = %q, %v; want %q", e164, n, err, want)
		}
	}
}

// carelessNumber is what somebody else logs: methods of its fields are not
// reached through the unexported ones.
type carelessNumber struct {
	Open   phone.Recipient
	Number phone.Number
	hidden struct {
		number    phone.Number
		address   phone.Address
		recipient phone.Recipient
		pointer   *phone.Number
	}
}

func TestPersonalDataStaysHiddenHoweverItIsPrinted(t *testing.T) {
	t.Parallel()
	const digits, local = "4915112345678", "maximiliane.musterfrau"
	n, err := phone.FromE164("+" + digits)
	if err != nil {
		t.Fatal(err)
	}
	a, err := phone.ParseAddress(local + "@example.org")
	if err != nil {
		t.Fatal(err)
	}
	careless := carelessNumber{Open: a.Recipient(), Number: n}
	careless.hidden.number, careless.hidden.address = n, a
	careless.hidden.recipient, careless.hidden.pointer = n.Recipient(), &n

	var out bytes.Buffer
	for _, v := range []any{
		n, a, n.Recipient(), a.Recipient(), &n, &a, careless, &careless,
		[]phone.Number{n},
		map[phone.Number]phone.Address{n: a},
		[]any{n, a, careless},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%d", "%o", "%t", "%p", "%T", "%20v"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		if err := json.NewEncoder(&out).Encode(v); err != nil {
			t.Errorf("json of %T: %v", v, err)
		}
		for _, handler := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(handler).LogAttrs(t.Context(), slog.LevelInfo, "canary", slog.Any("value", v))
		}
	}
	for _, secret := range []string{digits, digits[4:], local, local[:8], fmt.Sprintf("%x", digits), fmt.Sprintf("%x", local)} {
		if at := strings.Index(strings.ToLower(out.String()), secret); at >= 0 {
			t.Errorf("printed text holds %q: …%s…", secret, out.String()[max(at-60, 0):at+len(secret)])
		}
	}
	for _, want := range []string{"+49…78", "m…@….org"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("printed text lacks the masked form %q", want)
		}
	}
}
