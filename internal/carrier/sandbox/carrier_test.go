package sandbox_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// end is what becomes of a message in short.
type end struct {
	Class   delivery.Class
	Failure string // code of the refusal
	Receipt delivery.ReceiptState
	Reason  string // code in the receipt
	Kept    bool   // in the inbox
}

func TestTheLastDigitsChooseWhatHappens(t *testing.T) {
	t.Parallel()
	delivered := end{Class: delivery.Accepted, Receipt: delivery.ReceiptDelivered, Kept: true}
	silence := end{Class: delivery.Accepted, Kept: true} // nothing with the answer
	busy := end{Class: delivery.Retry, Failure: "4"}
	for _, c := range []struct {
		channel message.Channel
		to      string
		try     int
		want    end
	}{
		{message.SMS, number("0001"), 1, end{Class: delivery.Accepted, Receipt: delivery.ReceiptUndeliverable, Reason: "1", Kept: true}},
		{message.SMS, number("0002"), 1, silence},
		{message.SMS, number("0003"), 1, end{Class: delivery.Permanent, Failure: "3"}},
		{message.SMS, number("0004"), 1, busy},
		{message.SMS, number("0004"), 2, busy},
		{message.SMS, number("0004"), 3, delivered},
		{message.SMS, number("0005"), 1, silence},
		{message.SMS, number("0000"), 1, delivered},
		{message.SMS, number("0006"), 1, delivered},
		{message.SMS, "+490001234", 1, delivered},
		{message.Voice, number("0001"), 1, delivered},
		{message.WhatsApp, number("0002"), 1, delivered},
		{message.Viber, number("0003"), 1, delivered},
		{message.Voice, number("0004"), 1, busy},
		{message.Voice, number("0005"), 1, silence},
		{message.Email, "jo0001@example.com", 1, delivered},
		{message.Email, "jo0003@example.com", 1, delivered},
		{message.Email, "jo0004@example.com", 1, busy},
		{message.Email, "jo0005@example.com", 1, silence},
		{message.Email, "jo@0004.example.com", 1, delivered},
		{message.Email, "a@b.de", 1, delivered},
	} {
		t.Run(string(c.channel)+" "+c.to, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := to(t, c.channel, c.to)
			m.Try = c.try
			got := r.Submit(t.Context(), m)
			is := end{Class: got.Class, Failure: got.Failure.Code, Kept: len(r.texts(t)) == 1}
			if got.Receipt != nil {
				is.Receipt, is.Reason = got.Receipt.State, got.Receipt.Failure.Code
			}
			if diff := cmp.Diff(c.want, is); diff != "" {
				t.Errorf("try %d (-want +got):\n%s", c.try, diff)
			}
			if later := strings.Contains(c.to, "0005"); later != (got.Ref != "") {
				t.Errorf("reference %q; a receipt that comes later: %v", got.Ref, later)
			}
		})
	}
}

func TestAMessageIsKeptOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := to(t, message.SMS, number("0005"))
	first := r.Submit(t.Context(), m)
	again := r.Submit(t.Context(), m)
	if diff := cmp.Diff(first, again); diff != "" {
		t.Errorf("the same submit again (-first +again):\n%s", diff)
	}
	m.Dedupe = "another delivery"
	if other := r.Submit(t.Context(), m); other.Ref == first.Ref {
		t.Error("two deliveries have one reference")
	}
	if got := r.texts(t); len(got) != 2 {
		t.Errorf("inbox = %q, want two messages", got)
	}
}

func TestAMessageIsAsThePersonGetsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Submit(t.Context(), to(t, message.SMS, number("1111")))
	r.Submit(t.Context(), to(t, message.Voice, number("1111")))
	whatsApp := to(t, message.WhatsApp, number("1111"))
	whatsApp.Step.Text = message.Parse("*{{1}}* is your verification code.", []message.Placeholder{{Token: "{{1}}", Code: true}})
	r.Submit(t.Context(), whatsApp)
	want := []string{"*4839* is your verification code.", "Your code is 4, 8, 3, 9.", "Your code is 4839."}
	if diff := cmp.Diff(want, r.texts(t)); diff != "" {
		t.Errorf("inbox, newest first (-want +got):\n%s", diff)
	}
}

func TestAMessageThatCannotBeKeptIsUncertain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.store.down = true
	got := r.Submit(t.Context(), to(t, message.SMS, number("1111")))
	if got.Class != delivery.Uncertain || !r.Dedupes() {
		t.Errorf("Submit = %v, Dedupes = %v; want UNCERTAIN that is repeated", got.Class, r.Dedupes())
	}
}

func TestADelayedReceiptComesOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		res := r.Submit(t.Context(), to(t, message.SMS, number("0005")))
		time.Sleep(3*time.Second - 1)
		synctest.Wait()
		if got := r.received(); len(got) != 0 {
			t.Errorf("receipts before 3s: %+v", got)
		}
		time.Sleep(time.Minute)
		want := []delivery.Receipt{{Carrier: sandbox.Name, Ref: res.Ref, State: delivery.ReceiptDelivered}}
		if diff := cmp.Diff(want, r.received()); diff != "" {
			t.Errorf("receipts (-want +got):\n%s", diff)
		}
	})
}

func TestCloseGivesUpWhatIsToCome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := false
		r := newRig(t, func(c *sandbox.Config) {
			inner := c.Receive
			c.Receive = func(ctx context.Context, got delivery.Receipt) (bool, error) {
				begun = true
				time.Sleep(time.Second) // being handed over
				return inner(ctx, got)
			}
		})
		r.Submit(t.Context(), to(t, message.SMS, number("0005")))
		time.Sleep(2 * time.Second)
		r.Submit(t.Context(), to(t, message.Viber, number("0005")))
		time.Sleep(time.Second)
		synctest.Wait()
		if !begun {
			t.Fatal("the first receipt is not on its way after 3s")
		}
		r.Close()
		if got := r.received(); len(got) != 1 {
			t.Errorf("%d receipts when Close returned, want the one under way", len(got))
		}
		r.Submit(t.Context(), to(t, message.Voice, number("0005")))
		time.Sleep(time.Minute)
		if got := r.received(); len(got) != 1 {
			t.Errorf("%d receipts after Close, want no more than 1", len(got))
		}
	})
}

func TestASubmitCanBeMadeSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, func(c *sandbox.Config) { c.SubmitDelay = 200 * time.Millisecond })
		start := time.Now()
		if got := r.Submit(t.Context(), to(t, message.SMS, number("1111"))); got.Class != delivery.Accepted || time.Since(start) != 200*time.Millisecond {
			t.Errorf("Submit = %v after %v, want ACCEPTED after 200ms", got.Class, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		start = time.Now()
		if got := r.Submit(ctx, to(t, message.SMS, number("2222"))); got.Class != delivery.Retry || time.Since(start) != 100*time.Millisecond {
			t.Errorf("Submit = %v after %v, want RETRY when the context ends", got.Class, time.Since(start))
		}
	})
}

func TestTheRouterLeadsEveryChannelToTheSandbox(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	router := sandbox.NewRouter(r.Carrier)
	for _, c := range message.Channels() {
		route := router.Route(c, phone.Recipient{}, "")
		if len(route) != 1 || !sandbox.Is(route[0]) {
			t.Errorf("%s: route = %v, want the sandbox", c, route)
		}
	}
	if route := router.Route("FAX", phone.Recipient{}, ""); len(route) != 0 {
		t.Errorf("an unknown channel has the route %v", route)
	}
}

func TestLimitsSkipWhatOnlyTheSandboxCarries(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	box := sandbox.NewRouter(r.Carrier)
	mixed := routes{message.SMS: {realCarrier{}}, message.Voice: {r.Carrier}, message.Viber: {r.Carrier, realCarrier{}}}
	plan := func(steps, spare message.Channel) delivery.Plan {
		var p delivery.Plan
		p.Steps = append(p.Steps, delivery.Step{Channel: steps})
		if spare != "" {
			p.Spare = append(p.Spare, delivery.Step{Channel: spare})
		}
		return p
	}
	for _, c := range []struct {
		name     string
		coverage delivery.Coverage
		plan     delivery.Plan
		want     bool
	}{
		{"sandbox only", delivery.Coverage{Router: box, IsSandbox: sandbox.Is}, plan(message.SMS, message.Voice), false},
		{"sandbox only, but the operator wants limits", delivery.Coverage{Router: box, IsSandbox: sandbox.Is, SandboxLimits: true}, plan(message.SMS, ""), true},
		{"no sandbox", delivery.Coverage{Router: box}, plan(message.SMS, ""), true},
		{"a real first step", delivery.Coverage{Router: mixed, IsSandbox: sandbox.Is}, plan(message.SMS, message.Voice), true},
		{"a real spare step", delivery.Coverage{Router: mixed, IsSandbox: sandbox.Is}, plan(message.Voice, message.SMS), true},
		{"a real second carrier", delivery.Coverage{Router: mixed, IsSandbox: sandbox.Is}, plan(message.Viber, ""), true},
		{"the sandbox beside a channel that nobody serves", delivery.Coverage{Router: mixed, IsSandbox: sandbox.Is}, plan(message.Voice, message.Email), false},
		{"nobody", delivery.Coverage{Router: mixed, IsSandbox: sandbox.Is}, plan(message.Email, ""), true},
	} {
		if got := c.coverage.Limited(c.plan, recipient(t, number("1111"))); got != c.want {
			t.Errorf("%s: Limited = %v, want %v", c.name, got, c.want)
		}
	}
}

type routes map[message.Channel][]delivery.Carrier

func (r routes) Route(c message.Channel, _ phone.Recipient, _ string) []delivery.Carrier { return r[c] }

type realCarrier struct{}

func (realCarrier) Name() string  { return "real" }
func (realCarrier) Dedupes() bool { return false }
func (realCarrier) Submit(context.Context, delivery.Message) delivery.Result {
	return delivery.Result{Class: delivery.Permanent, Failure: otp.Failure{Code: "1"}}
}
