package webhook

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/callback"
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
	// has no public address: then no receipts are asked for.
	ReceiptURL string
	// Version is the server's, for User-Agent.
	Version string
	// Flights are those of the carrier that this one follows, so that receipts of
	// what that has in hand wait too; nil for none. They are known by
	// the ids of their messages.
	Flights *httpsubmit.Flights
}

// Carrier hands messages to a program of the operator's. It satisfies
// delivery.Carrier.
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

// mayReach is asked about each address before it is connected to.
func (s *settled) mayReach(ip netip.Addr) bool {
	return s.guard.CheckAddr(ip) == nil && (s.url.Scheme == "https" || s.plainTo(ip))
}

// Name returns the carrier's name.
func (c *Carrier) Name() string { return c.cfg.Name }

// Dedupes reports true: receivers act once on an Idempotency-Key.
func (c *Carrier) Dedupes() bool { return true }

// Channels returns the channels that the receiver serves.
func (c *Carrier) Channels() []message.Channel { return slices.Clone(c.cfg.Channels) }

// Config returns what the carrier was made of, defaults filled in.
func (c *Carrier) Config() Config { return c.cfg.Config }

// Run waits until ctx ends, then ends what is still in flight.
func (c *Carrier) Run(ctx context.Context) error {
	return c.http.Run(ctx) //nolint:wrapcheck // nothing to add
}

// Submit hands one message over. A message that may have been taken is known by
// its id, as receipts name that.
func (c *Carrier) Submit(ctx context.Context, m delivery.Message) delivery.Result {
	defer c.deps.Flights.Begin(m.Dedupe)()
	return c.submit(ctx, m).KnownAs(m.Dedupe)
}

func (c *Carrier) submit(ctx context.Context, m delivery.Message) delivery.Result {
	if !m.Ends().After(c.deps.Now()) {
		return refuse(delivery.Permanent, "expired", "The code's life is over")
	}
	if !slices.Contains(c.cfg.Channels, m.Step.Channel) {
		return refuse(delivery.Config, "channel", "The carrier is not configured for this channel")
	}
	body, err := c.compose(m)
	if err != nil {
		return refuse(delivery.Permanent, "message", "The message cannot be written")
	}
	req, err := c.request(ctx, m.Dedupe, body)
	if err != nil {
		return refuse(delivery.Config, "request", "The request cannot be written")
	}
	req.Header["Idempotency-Key"] = []string{m.Dedupe}
	a, failed := c.http.Do(req)
	if failed != nil {
		return *failed
	}
	return c.judge(a, m)
}

// request returns a signed POST.
func (c *Carrier) request(ctx context.Context, id string, body []byte) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.cfg.url.String(), bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("write request: %w", err)
	}
	now := c.deps.Now()
	signature, err := callback.Sign(c.cfg.secrets, id, now, body)
	if err != nil {
		return nil, fmt.Errorf("sign request: %w", err)
	}
	for name, value := range c.cfg.Headers {
		req.Header[name] = []string{value.Reveal()}
	}
	c.cfg.Authorize(req)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Countersign/"+c.deps.Version)
	req.Header["webhook-id"] = []string{id}
	req.Header["webhook-timestamp"] = []string{strconv.FormatInt(now.Unix(), 10)}
	req.Header["webhook-signature"] = []string{signature}
	return req, nil
}

// Check posts a signed request of the type carrier.check, which holds no
// message, and returns what is wrong unless it is answered with 2xx.
func (c *Carrier) Check(ctx context.Context) error {
	id := "check_" + strconv.FormatInt(c.deps.Now().UnixNano(), 36)
	req, err := c.request(ctx, id, fmt.Appendf(nil, `{"id":%q,"type":%q}`, id, typeCheck))
	if err != nil {
		return err
	}
	a, failed := c.http.Do(req)
	switch {
	case failed != nil:
		return errors.New(failed.Failure.Text) //nolint:err113 // it is read by people only
	case a.Status/100 != 2:
		return fmt.Errorf("the receiver answered with HTTP status %d", a.Status) //nolint:err113 // so is this
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
