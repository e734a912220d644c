package sandbox

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// Name is the name of the sandbox carrier.
const Name = "sandbox"

const (
	deliveredAfter = 3 * time.Second        // of numbers that end in 0005
	triesRefused   = 2                      // of numbers that end in 0004
	retryAfter     = 200 * time.Millisecond // what those errors ask for, so that trying it out is quick
	receiptBound   = 10 * time.Second       // for handing a receipt over
)

var errReceiptBound = errors.New("the receipt took too long to record")

// Config is what a Carrier is made of. Inbox, Receive and Log are needed.
type Config struct {
	Inbox *Inbox
	// Receive takes the receipts that come later than the answer; the
	// dispatcher's does.
	Receive func(ctx context.Context, r delivery.Receipt) (known bool, err error)
	Log     *slog.Logger
	// Orders are what somebody wants to happen to the next messages; nil for
	// none.
	Orders *Orders
	// SubmitDelay is how long every submit takes, to see how the server bears
	// with slow carriers; 0 for no time at all.
	SubmitDelay time.Duration
	// After calls f once d has passed, unless stop is called before; by default
	// time.AfterFunc does.
	After func(d time.Duration, f func()) (stop func() bool)
}

// Carrier accepts messages on every channel and keeps them in the inbox. It
// satisfies delivery.Carrier.
type Carrier struct {
	cfg    Config
	timers timers
}

// New returns a carrier over c. Close it in the end.
func New(c Config) *Carrier {
	if c.After == nil {
		c.After = func(d time.Duration, f func()) func() bool { return time.AfterFunc(d, f).Stop }
	}
	return &Carrier{cfg: c, timers: timers{after: c.After}}
}

// Name returns Name.
func (c *Carrier) Name() string { return Name }

// Dedupes reports that a repeated submit is recognised.
func (c *Carrier) Dedupes() bool { return true }

// Close gives up receipts that are still to come and waits for those that are
// being handed over. A receipt that a restart has lost never comes: the
// delivery then times out, as with any carrier that forgets one.
func (c *Carrier) Close() { c.timers.close() }

// Submit does what the recipient asks for; see the package.
func (c *Carrier) Submit(ctx context.Context, m delivery.Message) delivery.Result {
	if !pause(ctx, c.cfg.SubmitDelay) {
		return delivery.Result{Class: delivery.Retry, Failure: delivery.Unreachable} // nothing was taken yet
	}
	does := ordered(c.cfg.Orders.next(ctx, m.Account, m.Recipient), behaviourOf(m.Step.Channel, m.Recipient))
	switch {
	case does == refuse:
		return delivery.Result{Class: delivery.Permanent, Failure: failure("3", "The sandbox rejects messages to this number")}
	case does == stumble && m.Try <= triesRefused:
		return delivery.Result{Class: delivery.Retry, After: retryAfter, Failure: failure("4", "The sandbox is busy for this number")}
	}
	if does == late {
		return c.later(m) //nolint:contextcheck // it outlives the submit
	}
	if err := c.cfg.Inbox.Put(ctx, m); err != nil {
		c.cfg.Log.WarnContext(ctx, "message not put into the sandbox inbox", slog.Any("err", err))
		return delivery.Result{Class: delivery.Uncertain, Failure: delivery.Unreachable} // repeated: it is put in once
	}
	r := delivery.Result{Class: delivery.Accepted}
	switch does {
	case bounce:
		r.Receipt = &delivery.Receipt{State: delivery.ReceiptUndeliverable, Failure: failure("1", "The sandbox fails messages to this number")}
	case linger:
		r.Ref = m.Dedupe // what the later receipt names
		later := delivery.Receipt{Carrier: Name, Ref: r.Ref, State: delivery.ReceiptDelivered}
		c.timers.start(deliveredAfter, func() { c.report(later) }) //nolint:contextcheck // as above
	case arrive, stumble:
		r.Receipt = &delivery.Receipt{State: delivery.ReceiptDelivered}
	case vanish, refuse, late:
	}
	return r
}

// later accepts a message that arrives, and is reported delivered, after
// LateBy. A restart before that loses it, as a carrier may.
func (c *Carrier) later(m delivery.Message) delivery.Result {
	done := delivery.Receipt{Carrier: Name, Ref: m.Dedupe, State: delivery.ReceiptDelivered}
	c.timers.start(LateBy, func() {
		ctx, cancel := context.WithTimeoutCause(context.Background(), receiptBound, errReceiptBound)
		defer cancel()
		if err := c.cfg.Inbox.Put(ctx, m); err != nil {
			c.cfg.Log.WarnContext(ctx, "late message not put into the sandbox inbox", slog.Any("err", err))
			return
		}
		c.report(done)
	})
	return delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe}
}

// report hands a receipt over.
func (c *Carrier) report(r delivery.Receipt) {
	ctx, cancel := context.WithTimeoutCause(context.Background(), receiptBound, errReceiptBound)
	defer cancel()
	if _, err := c.cfg.Receive(ctx, r); err != nil {
		c.cfg.Log.WarnContext(ctx, "receipt of the sandbox lost", slog.Any("err", err))
	}
}

// pause waits and reports whether ctx lasted.
func pause(ctx context.Context, wait time.Duration) bool {
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func failure(code, text string) otp.Failure {
	return otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: text}
}

// endingLength is how many digits choose.
const endingLength = 4

// behaviour is what becomes of a message.
type behaviour uint8

const (
	arrive  behaviour = iota
	bounce            // accepted, then undeliverable
	vanish            // accepted, never reported
	refuse            // refused at submit
	stumble           // temporary errors first
	linger            // delivered after a while
	late              // in the inbox, and delivered, after a while
)

// ordered is what an order makes of a behaviour.
func ordered(o Order, chosen behaviour) behaviour {
	switch o {
	case ArriveLate:
		return late
	case ReportFailed:
		return bounce
	case ReportNothing:
		return vanish
	case RefuseSubmit:
		return refuse
	case NoOrder:
	}
	return chosen
}

// behaviourOf reads the last digits of the recipient.
func behaviourOf(channel message.Channel, to phone.Recipient) behaviour {
	digits := to.Reveal()
	if _, isAddress := to.Address(); isAddress {
		digits, _, _ = strings.Cut(digits, "@")
	}
	if len(digits) < endingLength {
		return arrive
	}
	does := arrive
	switch digits[len(digits)-endingLength:] {
	case "0001":
		does = bounce
	case "0002":
		does = vanish
	case "0003":
		does = refuse
	case "0004":
		does = stumble
	case "0005":
		does = linger
	}
	if channel != message.SMS && (does == bounce || does == vanish || does == refuse) {
		return arrive // so that a fallback can be tried with one number
	}
	return does
}
