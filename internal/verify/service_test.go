package verify_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/verify"
)

func TestSendHandsTheStoreACodeOnlySealedAndHashed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := request(t)
	r.Resendable, r.Reference, r.ProfileID, r.ApplicationID = true, "order-17", "p1", "a1"
	rec, err := b.Send(t.Context(), r)
	if err != nil {
		t.Fatalf("Send: %v", err)
	}
	n := b.store.created[0]
	if n.Ref != rec.Ref || n.Account != "acme" || n.Origin != "test" || n.Allowed != 3 || n.Life != 3*time.Minute ||
		!n.Resendable || !n.Limited || n.Reference != "order-17" || n.ProfileID != "p1" || n.ApplicationID != "a1" {
		t.Errorf("the store was asked to write %+v for the request", n)
	}
	if n.RecipientKey != b.RecipientKey("acme", r.Recipient) || n.RecipientKey == b.RecipientKey("other", r.Recipient) {
		t.Error("the recipient's key is not that of the account and recipient")
	}
	if _, err := uuid.Parse(n.Dedupe); err != nil {
		t.Errorf("dedupe reference %q is no UUID", n.Dedupe)
	}
	code, err := verify.OpenCode(b.keys.Open, n.Account, n.ID, n.Sealed)
	if err != nil || len(code.Reveal()) != 6 || !otp.AllDigits(code.Reveal()) {
		t.Fatalf("the sealed code opens as %q, %v; want 6 digits", code.Reveal(), err)
	}
	if bytes.Contains(n.Sealed, []byte(code.Reveal())) || strings.Contains(fmt.Sprintf("%+v", n), code.Reveal()) {
		t.Error("what the store is given shows the code")
	}
	guess := otp.NewGuess(b.keys, otp.Subject{Account: n.Account, ID: n.ID}, code)
	o := otp.OTP{State: otp.Active, Allowed: 1, Expires: time.Now().Add(time.Hour), Rule: n.Rule, Key: n.Key, Digest: n.Digest}
	if _, v := o.Check(time.Now(), guess); v != otp.Right {
		t.Error("the stored digest is not that of the sealed code")
	}
	if b.dispatch.wakes != 1 {
		t.Errorf("the dispatcher was woken %d times, want once", b.dispatch.wakes)
	}
}

func TestASealedCodeOpensForItsOTPAlone(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	rec, err := b.Send(t.Context(), request(t))
	if err != nil {
		t.Fatal(err)
	}
	sealed := b.store.created[0].Sealed
	for _, c := range [][2]string{{"other", rec.ID}, {"acme", uuid.NewString()}} {
		if code, err := verify.OpenCode(b.keys.Open, c[0], c[1], sealed); !errors.Is(err, secret.ErrSealed) || !code.IsZero() {
			t.Errorf("the code of %s/%s opens for %v", rec.Account, rec.ID, c)
		}
	}
}

func TestIDsComeFromTheGivenReader(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	random := bytes.Repeat([]byte{0x11}, 12)                   // the code: 12 bytes are read for 6 digits
	random = append(random, bytes.Repeat([]byte{0x22}, 16)...) // the id
	random = append(random, bytes.Repeat([]byte{0x33}, 16)...) // the dedupe reference
	b.Random = bytes.NewReader(random)
	rec, err := b.Send(t.Context(), request(t))
	if err != nil {
		t.Fatalf("Send: %v", err)
	}
	// UUIDs of version 4: all bits but six are random (T-02).
	if want := "22222222-2222-4222-a222-222222222222"; rec.ID != want {
		t.Errorf("id %s, want %s", rec.ID, want)
	}
	if want := "33333333-3333-4333-b333-333333333333"; b.store.created[0].Dedupe != want {
		t.Errorf("dedupe reference %s, want %s", b.store.created[0].Dedupe, want)
	}
	for n := range random {
		b.Random = bytes.NewReader(random[:n])
		if _, err := b.Send(t.Context(), request(t)); kind(err) != verify.Internal || !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("Send with %d random bytes = %v, want an internal error", n, err)
		}
	}
	if len(b.store.created) != 1 {
		t.Errorf("without randomness the store was still asked to write")
	}
	b.Random = iotest.ErrReader(errors.New("no entropy"))
	if _, err := b.Resend(t.Context(), verify.ResendRequest{}); kind(err) != verify.Internal || len(b.store.added) != 0 {
		t.Errorf("Resend without randomness = %v", err)
	}
}

func TestACallersIDAndCodeAreUsedAsTheyAre(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := request(t)
	r.ID, r.Code = "otp_9c41f07a", otp.NewCode("My-Code-1")
	if rec, err := b.Send(t.Context(), r); err != nil || rec.ID != r.ID {
		t.Errorf("Send = %v, %v; want the id %s", rec.ID, err, r.ID)
	}
	n := b.store.created[0]
	if code, err := verify.OpenCode(b.keys.Open, "acme", r.ID, n.Sealed); err != nil || code != r.Code {
		t.Errorf("the sealed code is another, %v", err)
	}
	if n.Rule.Length != len("My-Code-1") {
		t.Errorf("length %d of the stored rule, want %d", n.Rule.Length, len("My-Code-1"))
	}
}

func TestOnlyDigitsAreReadAsPaddedDigits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for _, c := range []struct {
		code    string
		form    otp.Form
		binding string
		want    otp.Rule
	}{
		{"0042", otp.PaddedDigits, "", otp.Rule{Form: otp.PaddedDigits, Length: 4}},
		{"00a2", otp.PaddedDigits, "", otp.Rule{Form: otp.Exact, Length: 4}},
		{"٠٠٤٢", otp.PaddedDigits, "", otp.Rule{Form: otp.Exact, Length: 4}},
		{"aB", otp.Folded, "", otp.Rule{Form: otp.Folded, Length: 2}},
		{"0042", otp.Exact, "192.0.2.7", otp.Rule{Form: otp.Exact, Length: 4, Bound: true}},
	} {
		r := request(t)
		r.Code, r.Form, r.Binding = otp.NewCode(c.code), c.form, c.binding
		if _, err := b.Send(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if got := b.store.created[len(b.store.created)-1].Rule; got != c.want {
			t.Errorf("rule of %q differs:\n%s", c.code, cmp.Diff(c.want, got))
		}
	}
}

func TestAnIncompleteSendReachesNoStore(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for name, change := range map[string]func(*verify.SendRequest){
		"no steps":     func(r *verify.SendRequest) { r.Plan = delivery.Plan{} },
		"no recipient": func(r *verify.SendRequest) { r.Recipient = verify.SendRequest{}.Recipient },
		"no account":   func(r *verify.SendRequest) { r.Account = "" },
		"no origin":    func(r *verify.SendRequest) { r.Origin = "" },
		"bad policy":   func(r *verify.SendRequest) { r.Policy.Length = 0 },
	} {
		r := request(t)
		change(&r)
		if _, err := b.Send(t.Context(), r); kind(err) != verify.Internal {
			t.Errorf("%s: Send = %v, want an internal error", name, err)
		}
	}
	if len(b.store.created) != 0 || b.dispatch.wakes != 0 {
		t.Errorf("the store was asked %d times, the dispatcher woken %d times", len(b.store.created), b.dispatch.wakes)
	}
}

// kind returns the Kind of a service's error, 255 if it is none.
func kind(err error) verify.Kind {
	e, ok := errors.AsType[*verify.Error](err)
	if !ok {
		return 255
	}
	return e.Kind
}

func TestErrorsOfTheStoreGetTheirKind(t *testing.T) {
	t.Parallel()
	unclassified := errors.New("a driver's words")
	for _, c := range []struct {
		from error
		want verify.Error
	}{
		{verify.ErrNotFound, verify.Error{Kind: verify.NotFound, Code: "otp.not_found"}},
		{verify.ErrEnded, verify.Error{Kind: verify.Ended, Code: "otp.ended"}},
		{verify.ErrIdempotencyMismatch, verify.Error{Kind: verify.Mismatch, Code: "idempotency.mismatch"}},
		{verify.ErrIdempotencyRunning, verify.Error{Kind: verify.Running, Code: "idempotency.running"}},
		{verify.ErrOverloaded, verify.Error{Kind: verify.Unavailable, Code: "overloaded", RetryAfter: time.Second}},
		{verify.ErrUnavailable, verify.Error{Kind: verify.Unavailable, Code: "unavailable", RetryAfter: 5 * time.Second}},
		{verify.ErrOutcomeUnknown, verify.Error{Kind: verify.OutcomeUnknown, Code: "outcome_unknown", RetryAfter: time.Second}},
		// A caller that left before anything was begun is no fault of the server.
		{context.Canceled, verify.Error{Kind: verify.Unavailable, Code: "unavailable", RetryAfter: 5 * time.Second}},
		{context.DeadlineExceeded, verify.Error{Kind: verify.Unavailable, Code: "unavailable", RetryAfter: 5 * time.Second}},
		{errors.Join(verify.ErrOutcomeUnknown, context.Canceled), verify.Error{Kind: verify.OutcomeUnknown, Code: "outcome_unknown", RetryAfter: time.Second}},
		{&verify.LimitError{Limit: "sends", RetryAfter: 7 * time.Second}, verify.Error{Kind: verify.Throttled, Code: "limit.sends", RetryAfter: 7 * time.Second}},
		{unclassified, verify.Error{Kind: verify.Internal, Code: "internal"}},
	} {
		b := newBench(t)
		b.store.err = fmt.Errorf("deep down: %w", c.from)
		ref := verify.Ref{Account: "acme", Origin: "test", ID: "o1"}
		for name, call := range map[string]func() error{
			"Send":   func() error { _, err := b.Send(t.Context(), request(t)); return err },
			"Resend": func() error { _, err := b.Resend(t.Context(), verify.ResendRequest{Ref: ref}); return err },
			"Check":  func() error { _, err := b.Check(t.Context(), verify.CheckRequest{Ref: ref}); return err },
			"Get":    func() error { _, err := b.Get(t.Context(), ref); return err },
			"List":   func() error { _, err := b.List(t.Context(), verify.ListQuery{}); return err },
			"Delete": func() error { _, err := b.Delete(t.Context(), ref, verify.Idempotency{}); return err },
			"Events": func() error { _, err := b.Events(t.Context(), ref); return err },
		} {
			err := call()
			got, ok := errors.AsType[*verify.Error](err)
			if !ok || got.Kind != c.want.Kind || got.Code != c.want.Code || got.RetryAfter != c.want.RetryAfter || !errors.Is(err, c.from) {
				t.Errorf("%s with the store's error %v = %+v, want %+v with the cause", name, c.from, got, c.want)
			}
		}
		if b.dispatch.wakes != 0 {
			t.Errorf("the dispatcher was woken though the store said %v", c.from)
		}
	}
}

func TestAnEndIsToldToTheDispatcherBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	ref := verify.Ref{Account: "acme", Origin: "test", ID: "o1"}
	for _, c := range []struct {
		state otp.State
		want  int
	}{{otp.Active, 0}, {otp.Verified, 1}, {otp.TooManyAttempts, 1}, {otp.Expired, 1}} {
		b := newBench(t)
		b.store.checked.Record.State = c.state
		if _, err := b.Check(t.Context(), verify.CheckRequest{Ref: ref}); err != nil {
			t.Fatal(err)
		}
		if len(b.dispatch.ended) != c.want {
			t.Errorf("after a check that left %v, the dispatcher was told of %d ends, want %d", c.state, len(b.dispatch.ended), c.want)
		}
	}
	for _, c := range []struct {
		err  error
		want int
	}{{nil, 1}, {verify.ErrOutcomeUnknown, 1}, {verify.ErrNotFound, 0}, {verify.ErrUnavailable, 0}, {verify.ErrOverloaded, 0}} {
		b := newBench(t)
		b.store.err = c.err
		_, _ = b.Delete(t.Context(), ref, verify.Idempotency{})
		if len(b.dispatch.ended) != c.want {
			t.Errorf("after a deletion that came to %v, the dispatcher was told of %d ends, want %d", c.err, len(b.dispatch.ended), c.want)
		}
		for _, ended := range b.dispatch.ended {
			if ended != "acme/o1" {
				t.Errorf("the dispatcher was told that %s ended", ended)
			}
		}
	}
}

func TestResendAsksForAsManyDeliveriesAsItIsAsked(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ref := verify.Ref{Account: "acme", Origin: "test", ID: "o1"}
	for range 2 {
		if _, err := b.Resend(t.Context(), verify.ResendRequest{Ref: ref, Channel: message.Voice, Sender: "+49301234567"}); err != nil {
			t.Fatal(err)
		}
	}
	a, c := b.store.added[0], b.store.added[1]
	if a.Ref != ref || a.Channel != message.Voice || a.Sender != "+49301234567" || len(a.Rules.Sends) == 0 {
		t.Errorf("the store was asked to add %+v", a)
	}
	if a.Dedupe == c.Dedupe {
		t.Error("two resends share one dedupe reference")
	}
	if b.dispatch.wakes != 2 {
		t.Errorf("the dispatcher was woken %d times, want 2", b.dispatch.wakes)
	}
}

func TestACheckCarriesNoCode(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	ref := verify.Ref{Account: "acme", Origin: "test", ID: "o1"}
	if _, err := b.Check(t.Context(), verify.CheckRequest{Ref: ref, Code: otp.NewCode("7316094")}); err != nil {
		t.Fatal(err)
	}
	a := b.store.attempts[0]
	if got := fmt.Sprintf("%+v %#v", a, a); strings.Contains(got, "7316094") {
		t.Errorf("what the store is given shows the code: %s", got)
	}
	if a.Guess.Length != 7 || len(a.Rules.Failures) == 0 {
		t.Errorf("the store was asked with %+v", a)
	}
}

func TestFingerprintsTellRequestsApart(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	base := b.Fingerprint("acme", "send", "k1", "+4915112345678", "483920")
	if base.IsZero() || !(verify.Idempotency{}).IsZero() {
		t.Error("IsZero tells wrongly whether idempotency is asked for")
	}
	if again := b.Fingerprint("acme", "send", "k1", "+4915112345678", "483920"); again != base {
		t.Error("the same request has another fingerprint")
	}
	for _, c := range []struct {
		name            string
		got             verify.Idempotency
		sameKey, sameFP bool
	}{
		{"another account", b.Fingerprint("other", "send", "k1", "+4915112345678", "483920"), false, true},
		{"another key", b.Fingerprint("acme", "send", "k2", "+4915112345678", "483920"), false, true},
		{"another operation", b.Fingerprint("acme", "resend", "k1", "+4915112345678", "483920"), true, false},
		{"another part", b.Fingerprint("acme", "send", "k1", "+4915112345678", "483921"), true, false},
		{"parts joined otherwise", b.Fingerprint("acme", "send", "k1", "+4915112345678483920"), true, false},
		{"a part moved into the operation", b.Fingerprint("acme", "send+4915112345678", "k1", "483920"), true, false},
		{"a part more", b.Fingerprint("acme", "send", "k1", "+4915112345678", "483920", ""), true, false},
	} {
		if (c.got.Key == base.Key) != c.sameKey || (c.got.Fingerprint == base.Fingerprint) != c.sameFP {
			t.Errorf("%s: same key %v, same fingerprint %v; want %v, %v", c.name,
				c.got.Key == base.Key, c.got.Fingerprint == base.Fingerprint, c.sameKey, c.sameFP)
		}
	}
}

func TestErrorsSayNoMoreThanTheyMust(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	if got := (&verify.Error{Code: "otp.ended"}).Error(); got != "otp.ended" {
		t.Errorf("Error() = %q", got)
	}
	e := &verify.Error{Code: "otp.ended", Err: cause}
	if e.Error() != "otp.ended: cause" || !errors.Is(e, cause) {
		t.Errorf("Error() = %q; the cause must be reached", e)
	}
	if got := (&verify.LimitError{Limit: "sends"}).Error(); got != "limit sends reached" {
		t.Errorf("Throttle.Error() = %q", got)
	}
}
