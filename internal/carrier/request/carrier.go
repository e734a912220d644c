package request

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// Deps are what a Carrier works with. Receive, Log and Now are needed.
type Deps struct {
	// Receive takes receipts; the dispatcher's does. It returns when the receipt
	// is durable.
	Receive func(ctx context.Context, r delivery.Receipt) (known bool, err error)
	Log     *slog.Logger
	Now     func() time.Time
	// HTTP says how to connect. Timeout and TLS are the configuration's; Dial,
	// if it is set, goes past the guard of addresses.
	HTTP httpsubmit.Options
	// ReceiptURL is where Receipts is served, with the token; "" if the server
	// has no public address: then no receipts come.
	ReceiptURL string
	// Version is the server's, for User-Agent.
	Version string
	// Flights are those of the carrier that this one follows, so that receipts of
	// what that has in hand wait too; nil for none. They are known by
	// our ids, if receipts name messages by those.
	Flights *httpsubmit.Flights
}

// Carrier hands messages to a gateway. It satisfies delivery.Carrier.
type Carrier struct {
	cfg  settled
	deps Deps
	http *httpsubmit.Client
}

// New returns a carrier over a configuration that Validate accepts; else it
// returns Validate's error.
func New(cfg Config, d Deps) (*Carrier, error) {
	s, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	d.Flights = cmp.Or(d.Flights, &httpsubmit.Flights{})
	return &Carrier{cfg: s, deps: d, http: httpsubmit.New(d.HTTP.With(s.Timeout, s.tls, s.mayReach))}, nil
}

// Name returns the carrier's name.
func (c *Carrier) Name() string { return c.cfg.Name }

// Sender returns the sender of messages without one of their own, "" for none.
func (c *Carrier) Sender() string { return c.cfg.Sender }

// Dedupes reports what the operator says of the gateway.
func (c *Carrier) Dedupes() bool { return c.cfg.Deduplicates }

// Channels returns the channels that the gateway serves.
func (c *Carrier) Channels() []message.Channel { return slices.Clone(c.cfg.Channels) }

// Config returns what the carrier was made of, defaults filled in.
func (c *Carrier) Config() Config { return c.cfg.Config }

// Run waits until ctx ends, then ends what is still in flight.
func (c *Carrier) Run(ctx context.Context) error {
	return c.http.Run(ctx) //nolint:wrapcheck // nothing to add
}

// Submit hands one message over. If receipts name messages by our id, one that
// may have been taken is known by it.
func (c *Carrier) Submit(ctx context.Context, m delivery.Message) delivery.Result {
	if c.cfg.ReceiptID == "" {
		return c.submit(ctx, m)
	}
	defer c.deps.Flights.Begin(m.Dedupe)()
	return c.submit(ctx, m).KnownAs(m.Dedupe)
}

func (c *Carrier) submit(ctx context.Context, m delivery.Message) delivery.Result {
	f := c.facts(m)
	_, isNumber := m.Recipient.Number()
	switch {
	case !m.Ends().After(f.now):
		return refuse(delivery.Permanent, "expired", "The code's life is over")
	case !slices.Contains(c.cfg.Channels, m.Step.Channel):
		return refuse(delivery.Config, "channel", "The carrier is not configured for this channel")
	case c.cfg.byNumber && !isNumber:
		return refuse(delivery.Permanent, "recipient", "The recipient is no phone number")
	case f.text == "": // gateways would take it
		return refuse(delivery.Permanent, "text", "The message is empty")
	}
	req, err := c.request(ctx, f)
	if unfit, ok := errors.AsType[*unfitError](err); ok {
		r := refuse(delivery.Config, "unfit", "The message's "+unfit.name+" cannot stand where the configuration puts it")
		r.Own = c.brought(unfit.name, m)
		return r
	}
	if err != nil {
		return refuse(delivery.Config, "request", "The request cannot be written")
	}
	a, failed := c.http.Do(req)
	if failed != nil {
		return *failed
	}
	return c.judge(a, m)
}

// brought reports whether a placeholder's value came with the message, and is
// not the configuration's.
func (c *Carrier) brought(name string, m delivery.Message) bool {
	switch {
	case isSecret(name), name == "receipt_url":
		return false
	case name == "sender":
		return m.Step.Sender != "" && m.Step.Sender != c.cfg.Sender && !m.DefaultSender
	}
	return true
}

// Check gets the configuration's check_url, which is to be answered with 2xx;
// without one it asks the host for the headers of its root, and any answer shows
// that it is there.
func (c *Carrier) Check(ctx context.Context) error {
	req, err := c.checkRequest(ctx)
	if err != nil {
		return err
	}
	a, failed := c.http.Do(req)
	switch {
	case failed != nil:
		return errors.New(failed.Failure.Text) //nolint:err113 // it is read by people only
	case c.cfg.CheckURL != "" && a.Status/100 != http.StatusOK/100:
		return fmt.Errorf("the gateway answered with HTTP status %d", a.Status) //nolint:err113 // so is this
	}
	return nil
}

func failure(code, text string) otp.Failure {
	return otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: text}
}

// refuse is the result of a message that is not handed over for its own sake.
func refuse(class delivery.Class, code, text string) delivery.Result {
	return delivery.Result{Class: class, Own: true, Failure: failure(code, text)}
}
