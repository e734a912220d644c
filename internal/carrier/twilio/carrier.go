package twilio

import (
	"cmp"
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// Deps are what a Carrier works with. Receive, Log and Now are needed.
type Deps struct {
	// Receive takes receipts; the dispatcher's does. It returns when the receipt
	// is durable.
	Receive func(ctx context.Context, r delivery.Receipt) (known bool, err error)
	Log     *slog.Logger
	Now     func() time.Time
	// HTTP says how to connect; the zero value works.
	HTTP httpsubmit.Options
	// ReceiptURL is where Twilio reaches Receipts, secret token included: the
	// public URL, as Twilio signs it. "" if there is none: then there are no
	// receipts, and calls only with Config.InlineVoice.
	ReceiptURL string
	// Random is where nonces are from: crypto/rand by default.
	Random io.Reader
	// Flights are those of the carrier that this one follows, so that receipts of
	// what that has in hand wait too; nil for none.
	Flights *httpsubmit.Flights
}

// Carrier delivers over Twilio. It satisfies delivery.Carrier and is safe for
// concurrent use.
type Carrier struct {
	cfg      settled
	deps     Deps
	client   *httpsubmit.Client
	receipts *url.URL // nil without ReceiptURL
	sealer   *sealer
	openers  []*sealer // under every token that is accepted

	mu     sync.Mutex // guards warned
	warned map[string]time.Time
}

// New returns a carrier over a configuration that Validate accepts; else it
// returns Validate's error. A ReceiptURL that Twilio would refuse is a KeyError
// of public_url.
func New(cfg Config, d Deps) (*Carrier, error) {
	s, wrongKey := cfg.settle()
	if wrongKey != nil {
		return nil, wrongKey
	}
	if d.Random == nil {
		d.Random = rand.Reader
	}
	d.Flights = cmp.Or(d.Flights, &httpsubmit.Flights{})
	c := &Carrier{cfg: s, deps: d, warned: map[string]time.Time{}}
	if d.ReceiptURL != "" {
		u, err := url.Parse(d.ReceiptURL)
		switch {
		case err != nil || u.Host == "" || u.RawQuery+u.Fragment != "":
			return nil, wrong("public_url", "is no URL that receipts can be sent to")
		case strings.Contains(u.Hostname(), "_"):
			return nil, wrong("public_url", "has an underscore in its host name, which Twilio refuses")
		}
		c.receipts = u
	}
	for _, token := range s.tokens() {
		opener, err := newSealer(token, s.AccountSID)
		if err != nil {
			return nil, err
		}
		c.openers = append(c.openers, opener)
	}
	c.sealer = c.openers[0]
	c.client = httpsubmit.New(d.HTTP)
	return c, nil
}

// tokens are those that signatures may be made with, the current one first.
func (s *settled) tokens() []string {
	tokens := []string{s.AuthToken.Reveal()}
	if previous := s.PreviousAuthToken.Reveal(); previous != "" {
		tokens = append(tokens, previous)
	}
	return tokens
}

// Name returns the carrier's name.
func (c *Carrier) Name() string { return c.cfg.Name }

// Dedupes reports false: Twilio recognises no repetition.
func (c *Carrier) Dedupes() bool { return false }

// Config returns what the carrier was made of, defaults filled in.
func (c *Carrier) Config() Config { return c.cfg.Config }

// Channels returns the channels that the configuration has a sender for.
func (c *Carrier) Channels() []message.Channel {
	return slices.DeleteFunc(message.Channels(), func(ch message.Channel) bool { return !c.serves(ch) })
}

func (c *Carrier) serves(ch message.Channel) bool {
	switch ch {
	case message.SMS:
		return c.cfg.From+c.cfg.MessagingServiceSID != ""
	case message.WhatsApp:
		return c.cfg.WhatsAppFrom != ""
	case message.Voice:
		return c.cfg.Caller != "" && (c.receipts != nil || c.cfg.InlineVoice)
	case message.Viber, message.Email:
	}
	return false
}

// Run waits until ctx ends. Then requests in flight end, as if their answer did
// not come, and no further one begins.
func (c *Carrier) Run(ctx context.Context) error {
	<-ctx.Done()
	c.client.Close()
	return nil
}

// logger returns the log with the carrier's name.
func (c *Carrier) logger() *slog.Logger { return c.deps.Log.With(slog.String("carrier", c.cfg.Name)) }
