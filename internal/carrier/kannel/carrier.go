package kannel

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
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
	// HTTP says how to connect. Timeout and TLS are the configuration's; by
	// default no plain text is sent to addresses that are not private.
	HTTP httpsubmit.Options
	// ReceiptURL is where Receipts is served, with the token, as the gateway
	// reaches it; "" if there is none: then no receipts are asked for.
	ReceiptURL string
	// Flights are those of the carrier that this one follows, so that receipts of
	// what that has in hand wait too; nil for none. They are known by
	// the references of their messages.
	Flights *httpsubmit.Flights
}

// Carrier sends SMS through a gateway. It satisfies delivery.Carrier.
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
func (s *settled) mayReach(ip netip.Addr) bool { return s.url.Scheme == "https" || s.plainTo(ip) }

// Name returns the carrier's name.
func (c *Carrier) Name() string { return c.cfg.Name }

// Sender returns the sender of messages without one of their own, "" for none.
func (c *Carrier) Sender() string { return c.cfg.Sender }

// Dedupes reports false: Kannel recognises no repetition.
func (c *Carrier) Dedupes() bool { return false }

// Channels returns SMS.
func (c *Carrier) Channels() []message.Channel { return []message.Channel{message.SMS} }

// Config returns what the carrier was made of, defaults filled in.
func (c *Carrier) Config() Config { return c.cfg.Config }

// Run waits until ctx ends, then ends what is still in flight.
func (c *Carrier) Run(ctx context.Context) error {
	return c.http.Run(ctx) //nolint:wrapcheck // nothing to add
}

// Submit hands one message over, its parts one after the other. If one is not
// taken the result is that part's, and a repetition sends all of them again:
// they have the same reference and number, by which a phone knows them. A
// message that may have been taken has its reference too, as reports name that.
func (c *Carrier) Submit(ctx context.Context, m delivery.Message) delivery.Result {
	defer c.deps.Flights.Begin(m.Dedupe)()
	return c.submit(ctx, m).KnownAs(m.Dedupe)
}

func (c *Carrier) submit(ctx context.Context, m delivery.Message) delivery.Result {
	parts, refused := c.compose(m)
	if refused != nil {
		return *refused
	}
	for _, p := range parts {
		req, err := c.request(ctx, p)
		if err != nil {
			return refuse(delivery.Config, "request", "The request cannot be written")
		}
		a, failed := c.http.Do(req)
		if failed != nil {
			return *failed
		}
		if r := judge(a, c.deps.Now()); r.Class != delivery.Accepted {
			return r
		}
	}
	return delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe, NoReceipt: c.deps.ReceiptURL == ""}
}

// Check asks the gateway to send a message to nobody, which it refuses once it
// has looked at user name and password, and returns what is wrong if it refuses
// it for another reason.
func (c *Carrier) Check(ctx context.Context) error {
	req, err := c.request(ctx, part{})
	if err != nil {
		return err
	}
	a, failed := c.http.Do(req)
	switch {
	case failed != nil:
		return errors.New(failed.Failure.Text) //nolint:err113 // it is read by people only
	case a.Status == http.StatusForbidden:
		return errors.New("the gateway refuses username and password") //nolint:err113 // so is this
	case a.Status == http.StatusBadRequest && strings.Contains(string(a.Body), "receiver"):
		return nil
	}
	return fmt.Errorf("the gateway answered with HTTP status %d, as no sendsms does", a.Status) //nolint:err113 // and this
}

func failure(code, text string) otp.Failure {
	return otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: text}
}

// refuse is the result of a message that is not handed over for its own sake.
func refuse(class delivery.Class, code, text string) delivery.Result {
	return delivery.Result{Class: class, Own: true, Failure: failure(code, text)}
}
