package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/verify"
)

var asValues = cmpopts.EquateComparable(phone.Recipient{}, otp.OTP{}, verify.Ref{})

func readsBack(t *testing.T, b *bench) {
	for _, id := range []string{uuid.NewString(), "otp_9c41f07ab2d86e35c0b1f4a7", "fifteen-letters", "t", "sixteen-letters!"} {
		sent := b.send(order{id: id, profile: uuid.NewString(), reference: "order-17", to: "+4915112345678"})
		if got := b.read(sent.Ref); !cmp.Equal(got, sent, asValues) {
			t.Errorf("read of id %q differs:\n%s", id, cmp.Diff(sent, got, asValues))
		}
		if want := Start.Add(3 * time.Minute); !sent.Created.Equal(Start) || !sent.Expires.Equal(want) {
			t.Errorf("created %v, expires %v; want %v, %v", sent.Created, sent.Expires, Start, want)
		}
	}
}

func foreignOTP(t *testing.T, b *bench) {
	sent := b.send(order{})
	for _, ref := range []verify.Ref{
		{Account: other, Origin: origin, ID: sent.ID},
		{Account: acme, Origin: "elsewhere", ID: sent.ID},
		{Account: acme, Origin: origin, ID: uuid.NewString()},
	} {
		if _, err := b.Store.OTP(t.Context(), ref); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("OTP(%v) = %v, want ErrNotFound", ref, err)
		}
		if _, err := b.Store.CountAttempt(t.Context(), b.attempt(ref, rightCode)); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("CountAttempt(%v) = %v, want ErrNotFound", ref, err)
		}
		if _, err := b.Store.DeleteOTP(t.Context(), ref, verify.Idempotency{}); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("DeleteOTP(%v) = %v, want ErrNotFound", ref, err)
		}
		if _, err := b.Store.Events(t.Context(), ref); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("Events(%v) = %v, want ErrNotFound", ref, err)
		}
		if _, err := b.Store.AddDelivery(t.Context(), verify.NewDelivery{Ref: ref, Channel: message.SMS, Dedupe: uuid.NewString()}); !errors.Is(err, verify.ErrNotFound) {
			t.Errorf("AddDelivery(%v) = %v, want ErrNotFound", ref, err)
		}
	}
	if got := b.read(sent.Ref); got.Attempts != 0 || got.State != otp.Active {
		t.Errorf("strangers changed the OTP to %v with %d attempts", got.State, got.Attempts)
	}
}

func idTaken(t *testing.T, b *bench) {
	sent := b.send(order{})
	if _, err := b.Store.CreateOTP(t.Context(), b.newOTP(order{id: sent.ID})); !errors.Is(err, verify.ErrIDTaken) {
		t.Errorf("second CreateOTP with the id = %v, want ErrIDTaken", err)
	}
	b.send(order{account: other, id: sent.ID}) // another account's ids are its own
}

func lists(t *testing.T, b *bench) {
	var all []string
	for i := range 4 {
		rec := b.send(order{to: []string{"+4915112345678", "+447400123456"}[i%2]})
		all = append([]string{rec.ID}, all...)
	}
	b.send(order{account: other})
	b.send(order{to: "+447400123456", origin: "elsewhere"})
	first, err := b.Store.OTP(t.Context(), verify.Ref{Account: acme, Origin: origin, ID: all[3]})
	if err != nil {
		t.Fatal(err)
	}
	b.check(first.Ref, rightCode)
	to, _ := phone.ParseRecipient("+447400123456")
	for _, c := range []struct {
		name  string
		query verify.ListQuery
		want  []string
	}{
		{"all", verify.ListQuery{Limit: 10}, all},
		{"limited", verify.ListQuery{Limit: 3}, all[:3]},
		{"by recipient", verify.ListQuery{Limit: 10, RecipientKey: verify.RecipientKey(b.keys, acme, to)}, []string{all[0], all[2]}},
		{"verified", verify.ListQuery{Limit: 10, States: []otp.State{otp.Verified}}, []string{all[3]}},
		{"active or verified", verify.ListQuery{Limit: 10, States: []otp.State{otp.Active, otp.Verified}}, all},
		{"expired", verify.ListQuery{Limit: 10, States: []otp.State{otp.Expired}}, nil},
	} {
		c.query.Account, c.query.Origin = acme, origin
		recs, err := b.Store.OTPs(t.Context(), c.query)
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var got []string
		for _, r := range recs {
			got = append(got, r.ID)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	b.wall.Add(3 * time.Minute)
	recs, err := b.Store.OTPs(t.Context(), verify.ListQuery{Account: acme, Origin: origin, Limit: 10, States: []otp.State{otp.Expired}})
	if err != nil || len(recs) != 3 {
		t.Errorf("expired after the time: %d, %v; want 3", len(recs), err)
	}
}

func checks(t *testing.T, b *bench) {
	for _, c := range []struct {
		name  string
		o     order
		typed []string
		want  []otp.Verdict
		state otp.State
		count int
	}{
		{"right", order{}, []string{rightCode}, []otp.Verdict{otp.Right}, otp.Verified, 1},
		{"right twice", order{}, []string{rightCode, rightCode}, []otp.Verdict{otp.Right, otp.Closed}, otp.Verified, 1},
		{"wrong then right", order{}, []string{wrongCode, rightCode}, []otp.Verdict{otp.Wrong, otp.Right}, otp.Verified, 2},
		{"right as the last attempt", order{}, []string{wrongCode, wrongCode, rightCode}, []otp.Verdict{otp.Wrong, otp.Wrong, otp.Right}, otp.Verified, 3},
		{"spent", order{}, []string{wrongCode, wrongCode, wrongCode, rightCode}, []otp.Verdict{otp.Wrong, otp.Wrong, otp.Spent, otp.Closed}, otp.TooManyAttempts, 3},
		{"one attempt", order{attempts: 1}, []string{wrongCode, rightCode}, []otp.Verdict{otp.Spent, otp.Closed}, otp.TooManyAttempts, 1},
		{"exact", order{code: "aB3"}, []string{"ab3", "aB3"}, []otp.Verdict{otp.Wrong, otp.Right}, otp.Verified, 2},
		{"folded", order{code: "1abc3r", form: otp.Folded}, []string{"1ABC3R"}, []otp.Verdict{otp.Right}, otp.Verified, 1},
		{"padded", order{code: "0427", form: otp.PaddedDigits}, []string{"4270", "427"}, []otp.Verdict{otp.Wrong, otp.Right}, otp.Verified, 2},
		{"padded too far", order{code: "0427", form: otp.PaddedDigits}, []string{"00427"}, []otp.Verdict{otp.Wrong}, otp.Active, 1},
	} {
		sent := b.send(c.o)
		var got []otp.Verdict
		for _, typed := range c.typed {
			got = append(got, b.check(sent.Ref, typed).Verdict)
		}
		rec := b.read(sent.Ref)
		if !slices.Equal(got, c.want) || rec.State != c.state || rec.Attempts != c.count {
			t.Errorf("%s: verdicts %v, %v with %d attempts; want %v, %v with %d", c.name, got, rec.State, rec.Attempts, c.want, c.state, c.count)
		}
	}
	bound := b.send(order{binding: "192.0.2.7"})
	for _, c := range []struct {
		binding string
		want    otp.Verdict
	}{{"", otp.Wrong}, {"192.0.2.8", otp.Wrong}, {"192.0.2.7", otp.Right}} {
		a := b.attempt(bound.Ref, rightCode)
		a.Guess = otp.NewGuess(b.keys, otp.Subject{Account: acme, ID: bound.ID, Binding: c.binding}, otp.NewCode(rightCode))
		if got, err := b.Store.CountAttempt(t.Context(), a); err != nil || got.Verdict != c.want {
			t.Errorf("binding %q: %v, %v; want %v", c.binding, got.Verdict, err, c.want)
		}
	}
	free := b.send(order{})
	a := b.attempt(free.Ref, rightCode)
	a.Guess = otp.NewGuess(b.keys, otp.Subject{Account: acme, ID: free.ID, Binding: "192.0.2.7"}, otp.NewCode(rightCode))
	if got, err := b.Store.CountAttempt(t.Context(), a); err != nil || got.Verdict != otp.Right {
		t.Errorf("binding on an OTP without one: %v, %v; want Right", got.Verdict, err)
	}
}

// randomLife drives an OTP with random checks and times and compares each step
// with the pure rules.
func randomLife(t *testing.T, b *bench) {
	rapid.Check(t, func(r *rapid.T) {
		sent := b.send(order{attempts: rapid.IntRange(1, 5).Draw(r, "attempts"), life: time.Minute})
		model := sent.OTP
		for range rapid.IntRange(1, 8).Draw(r, "checks") {
			b.wall.Add(time.Duration(rapid.Int64Range(0, int64(25*time.Second/time.Microsecond)).Draw(r, "wait")) * time.Microsecond)
			a := b.attempt(sent.Ref, rapid.SampledFrom([]string{rightCode, wrongCode, wrongCode}).Draw(r, "code"))
			var want otp.Verdict
			model, want = model.Check(b.wall.Now(), a.Guess)
			got, err := b.Store.CountAttempt(context.Background(), a)
			if err != nil {
				r.Fatalf("CountAttempt: %v", err)
			}
			if got.Verdict != want || got.Record.OTP != model {
				r.Fatalf("verdict %v, want %v; %s", got.Verdict, want, cmp.Diff(model, got.Record.OTP))
			}
		}
		if got := b.read(sent.Ref); got.OTP != model {
			r.Fatalf("stored %s", cmp.Diff(model, got.OTP))
		}
	})
}

func (b *bench) parallel(ref verify.Ref, code string, n int) map[otp.Verdict]int {
	b.t.Helper()
	return Verdicts(b.t, n, func(ctx context.Context, _ int) (verify.Checked, error) {
		return b.Store.CountAttempt(ctx, b.attempt(ref, code))
	})
}

// Verdicts makes n guesses at once, numbered from 0, and counts what came of them.
// A store on a slow machine may refuse some of so many with nothing done (D-08):
// those are made again.
func Verdicts(t testing.TB, n int, guess func(ctx context.Context, i int) (verify.Checked, error)) map[otp.Verdict]int {
	t.Helper()
	verdicts := make(chan otp.Verdict, n)
	start := make(chan struct{})
	ctx := context.WithoutCancel(t.Context())
	for i := range n {
		go func() {
			<-start
			c, err := guess(ctx, i)
			for errors.Is(err, verify.ErrOverloaded) && t.Context().Err() == nil {
				time.Sleep(10 * time.Millisecond)
				c, err = guess(ctx, i)
			}
			if err != nil {
				t.Errorf("CountAttempt: %v", err)
			}
			verdicts <- c.Verdict
		}()
	}
	close(start)
	counts := map[otp.Verdict]int{}
	for range n {
		counts[<-verdicts]++
	}
	return counts
}

func parallelWrong(t *testing.T, b *bench) {
	sent := b.send(order{})
	got := b.parallel(sent.Ref, wrongCode, 300)
	want := map[otp.Verdict]int{otp.Wrong: 2, otp.Spent: 1, otp.Closed: 297}
	if !cmp.Equal(got, want) {
		t.Errorf("verdicts %v, want %v", got, want)
	}
	if rec := b.read(sent.Ref); rec.Attempts != 3 || rec.State != otp.TooManyAttempts {
		t.Errorf("%v with %d attempts, want TOO_MANY_ATTEMPTS with 3", rec.State, rec.Attempts)
	}
}

func parallelRight(t *testing.T, b *bench) {
	sent := b.send(order{})
	got := b.parallel(sent.Ref, rightCode, 200)
	want := map[otp.Verdict]int{otp.Right: 1, otp.Closed: 199}
	if !cmp.Equal(got, want) {
		t.Errorf("verdicts %v, want %v", got, want)
	}
	if rec := b.read(sent.Ref); rec.Attempts != 1 || rec.State != otp.Verified {
		t.Errorf("%v with %d attempts, want VERIFIED with 1", rec.State, rec.Attempts)
	}
}

func expiryEdge(t *testing.T, b *bench) {
	early, late := b.send(order{}), b.send(order{})
	b.wall.Add(3*time.Minute - time.Microsecond)
	if c := b.check(early.Ref, rightCode); c.Verdict != otp.Right || !c.Record.Ended.Before(c.Record.Expires) {
		t.Errorf("a microsecond before the end: %v ended %v of %v, want Right", c.Verdict, c.Record.Ended, c.Record.Expires)
	}
	b.wall.Add(time.Microsecond)
	if got := b.read(late.Ref).State; got != otp.Expired {
		t.Errorf("read at the end = %v, want EXPIRED", got)
	}
	if c := b.check(late.Ref, rightCode); c.Verdict != otp.Late || c.Record.Attempts != 0 {
		t.Errorf("check at the end: %v with %d attempts, want Late with 0", c.Verdict, c.Record.Attempts)
	}
	if c := b.check(late.Ref, rightCode); c.Verdict != otp.Closed {
		t.Errorf("check after it: %v, want Closed", c.Verdict)
	}
	b.wall.Add(time.Hour)
	if c := b.check(early.Ref, rightCode); c.Verdict != otp.Closed || c.Record.State != otp.Verified {
		t.Errorf("check of a verified one after its time: %v, %v; want Closed, VERIFIED", c.Verdict, c.Record.State)
	}
}

func clockBack(t *testing.T, b *bench) {
	sent := b.send(order{})
	b.wall.Add(3 * time.Minute)
	if got := b.read(sent.Ref).State; got != otp.Expired {
		t.Fatalf("at the end: %v, want EXPIRED", got)
	}
	b.wall.Add(-time.Hour)
	if c := b.check(sent.Ref, rightCode); c.Verdict != otp.Late {
		t.Errorf("check after the clock was set back: %v, want Late", c.Verdict)
	}
	next := b.send(order{})
	if !next.Created.After(sent.Created) {
		t.Errorf("an OTP after the step back was created at %v, before %v", next.Created, sent.Created)
	}
}

func cancelled(t *testing.T, b *bench) {
	sent := b.send(order{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for i := range 50 {
		_, err := b.Store.CountAttempt(ctx, b.attempt(sent.Ref, wrongCode))
		if err == nil {
			continue // the work was begun and done before the end was noticed
		}
		if !errors.Is(err, verify.ErrUnavailable) && !errors.Is(err, verify.ErrOutcomeUnknown) {
			t.Fatalf("check %d with an ended context: %v", i, err)
		}
	}
	// Whatever was counted was counted at most as often as allowed.
	if rec := b.read(sent.Ref); rec.Attempts > 3 {
		t.Errorf("%d attempts, want 3 at most", rec.Attempts)
	}
}

func deleted(t *testing.T, b *bench) {
	sent := b.send(order{})
	job := b.one()
	was, err := b.Store.DeleteOTP(t.Context(), sent.Ref, verify.Idempotency{})
	if err != nil || was.State != otp.Active || was.ID != sent.ID {
		t.Fatalf("DeleteOTP = %v %v, %v", was.ID, was.State, err)
	}
	if _, err := b.Store.OTP(t.Context(), sent.Ref); !errors.Is(err, verify.ErrNotFound) {
		t.Errorf("read = %v, want ErrNotFound", err)
	}
	if b.record(job, accepted("r1")) {
		t.Error("a deleted OTP's delivery started another")
	}
	if known, _ := b.receipt("r1", delivered); known {
		t.Error("a deleted OTP's receipt is known")
	}
	b.wall.Add(2 * time.Minute)
	if jobs := b.claim("n1"); len(jobs) != 0 {
		t.Errorf("claimed %d deliveries of a deleted OTP", len(jobs))
	}
	if n := b.SealedCodes(t, acme, sent.ID); n != 0 {
		t.Errorf("%d sealed codes are left", n)
	}
	if _, err := b.Store.DeleteOTP(t.Context(), sent.Ref, verify.Idempotency{}); !errors.Is(err, verify.ErrNotFound) {
		t.Errorf("second delete = %v, want ErrNotFound", err)
	}
}

func sweeps(t *testing.T, b *bench) {
	var refs []verify.Ref
	for i := range 7 {
		refs = append(refs, b.send(order{id: fmt.Sprintf("id-%d", i), resendable: true}).Ref)
	}
	b.check(refs[0], rightCode)
	b.wall.Add(3 * time.Minute)
	if n, err := b.Store.ExpireOTPs(t.Context()); err != nil || n != 6 {
		t.Errorf("ExpireOTPs = %d, %v; want 6", n, err)
	}
	for _, ref := range refs {
		if n := b.SealedCodes(t, acme, ref.ID); n != 0 {
			t.Errorf("%s: %d sealed codes are left", ref.ID, n)
		}
	}
	if c := b.check(refs[1], rightCode); c.Verdict != otp.Late {
		t.Errorf("first check after the sweep: %v, want Late", c.Verdict)
	}
	if n, err := b.Store.ExpireOTPs(t.Context()); err != nil || n != 0 {
		t.Errorf("second ExpireOTPs = %d, %v; want 0", n, err)
	}
}
