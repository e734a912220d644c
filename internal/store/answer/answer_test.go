package answer_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/store/answer"
	"github.com/countersign/countersign/internal/verify"
)

// kept is the answer of checked as it stands in databases: other versions read
// it, and write such.
const kept = `{"Ref":{"Account":"acme","Origin":"v4","ID":"o1"},"State":2,"Allowed":3,"Attempts":1,"EndSeen":true,` +
	`"Created":"2026-01-02T03:04:05Z","Expires":"2026-01-02T03:05:05Z","Ended":"2026-01-02T03:04:35Z","Life":60000000000,` +
	`"Recipient":"jo\u0026a@example.com","Reference":"\"Recipient\":\"+4915112345678\"","ProfileID":"p","ApplicationID":"a","Verdict":1}`

func checked(t *testing.T) verify.Checked {
	t.Helper()
	to, err := phone.ParseRecipient("jo&a@example.com")
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	return verify.Checked{
		Verdict: 1,
		Record: verify.Record{
			Ref: verify.Ref{Account: "acme", Origin: "v4", ID: "o1"}, Recipient: to,
			Reference: `"Recipient":"+4915112345678"`, ProfileID: "p", ApplicationID: "a", Life: time.Minute,
			OTP: otp.OTP{
				State: 2, Allowed: 3, Attempts: 1, EndSeen: true,
				Created: begun, Expires: begun.Add(time.Minute), Ended: begun.Add(30 * time.Second),
			},
		},
	}
}

func TestAnAnswerIsKeptInOneForm(t *testing.T) {
	t.Parallel()
	want := checked(t)
	got, err := answer.Encode(want)
	if err != nil || got != kept {
		t.Errorf("Encode = %s, %v; want %s", got, err, kept)
	}
	i := verify.Idempotency{Fingerprint: [16]byte{7}}
	back, err := answer.Read(i, i.Fingerprint[:], kept)
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	if diff := cmp.Diff(want, *back, cmp.Comparer(func(a, b phone.Recipient) bool { return a == b })); diff != "" {
		t.Errorf("what is read differs (-want +got):\n%s", diff)
	}
	if _, err := answer.Read(i, []byte{8}, kept); !errors.Is(err, verify.ErrIdempotencyMismatch) {
		t.Errorf("Read of another request's = %v, want ErrIdempotencyMismatch", err)
	}
}

func TestAnAnswerNamesItsRecipientOnly(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"jo&a@example.com": true,
		"a@example.com":    false,
		"+4915112345678":   false, // the reference is the caller's
	} {
		naming, err := answer.Naming(name)
		if err != nil {
			t.Fatalf("Naming(%q): %v", name, err)
		}
		if got := strings.Contains(kept, naming); got != want {
			t.Errorf("the answer names %q: %v, want %v", name, got, want)
		}
	}
}
