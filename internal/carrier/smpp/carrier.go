package smpp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

// Deps are what a Carrier works with. Receive, Log and Now are needed.
type Deps struct {
	// Receive takes receipts; the dispatcher's does. It returns when the receipt
	// is durable.
	Receive func(ctx context.Context, r delivery.Receipt) (known bool, err error)
	Log     *slog.Logger
	// Now is this machine's clock, as deadlines of connections are made of it.
	Now func() time.Time
	// Observer is told what happens; nil for none.
	Observer Observer
	// Parts are those of the carrier that this one follows, so that receipts of
	// what that sent are read alike; nil for none.
	Parts *Parts
	// Dial opens connections, in tests; by default a net.Dialer does, which
	// refuses addresses that are not private unless the configuration allows
	// them.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Jitter returns a random duration from 0 up to, not including, limit,
	// which is more than 0; by default that of math/rand/v2.
	Jitter func(limit time.Duration) time.Duration
}

// maxReceipts is how many receipts are being recorded at a time. More are
// answered with a temporary error, so that the message centre sends them again.
const maxReceipts = 2000

// Carrier delivers SMS over SMPP. It satisfies delivery.Carrier. Nothing is
// delivered unless Run runs.
type Carrier struct {
	cfg      settled
	deps     Deps
	ids      idForm
	dialer   *dialer
	parts    *Parts
	failed   failed
	receipts chan struct{} // a place for each receipt that is being recorded
	handling sync.WaitGroup

	mu      sync.Mutex // guards what follows and the links' states
	links   []*link
	changed chan struct{} // closed and made anew when a link's state changes
}

// New returns a carrier over a configuration that Validate accepts; else it
// returns Validate's error.
func New(cfg Config, d Deps) (*Carrier, error) {
	s, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	if d.Observer == nil {
		d.Observer = unobserved{}
	}
	if d.Parts == nil {
		d.Parts = NewParts(d.Now)
	}
	if d.Jitter == nil {
		d.Jitter = rand.N[time.Duration]
	}
	dial, err := newDialer(&s, d.Dial)
	if err != nil {
		return nil, err
	}
	c := &Carrier{
		cfg: s, deps: d, ids: idForm(s.ReceiptID), dialer: dial, parts: d.Parts,
		receipts: make(chan struct{}, maxReceipts), changed: make(chan struct{}),
	}
	for n := range s.Binds {
		for _, kind := range s.kinds() {
			c.links = append(c.links, &link{
				carrier: c, bind: n + 1, kind: kind, submits: kind != pdu.BindReceiver, throttle: newThrottle(s.Rate, d.Now),
			})
		}
	}
	return c, nil
}

// kinds are the connections of one bind.
func (s *settled) kinds() []pdu.ID {
	if s.Mode == pair {
		return []pdu.ID{pdu.BindReceiver, pdu.BindTransmitter} // receipts first
	}
	return []pdu.ID{pdu.BindTransceiver}
}

// Name returns the carrier's name.
func (c *Carrier) Name() string { return c.cfg.Name }

// Sender returns the sender of messages without one of their own, "" for none.
func (c *Carrier) Sender() string { return c.cfg.Sender }

// Dedupes reports false: SMPP recognises no repetition.
func (c *Carrier) Dedupes() bool { return false }

// Config returns what the carrier was made of, defaults filled in.
func (c *Carrier) Config() Config { return c.cfg.Config }

// Run keeps the binds up until ctx ends. Then no submit begins; those that are
// unanswered have 5 s, the binds are unbound and closed. It returns when
// everything that it started has ended, and is called once.
func (c *Carrier) Run(ctx context.Context) error {
	apart, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	var running sync.WaitGroup
	for _, l := range c.links {
		running.Go(func() { l.run(ctx, apart) })
	}
	running.Wait()
	cancel(errEnding) // nobody is left to be answered
	c.handling.Wait()
	return nil
}

// Binds returns how every connection does.
func (c *Carrier) Binds() []BindState {
	c.mu.Lock()
	defer c.mu.Unlock()
	states := make([]BindState, len(c.links))
	for i, l := range c.links {
		states[i] = l.state()
	}
	return states
}

// Check binds once each way that the carrier uses and unbinds again, beside the
// binds that Run keeps, and returns what went wrong. It sends nothing else. A
// message centre that allows no more binds than are up refuses it.
func (c *Carrier) Check(ctx context.Context) error {
	for _, kind := range c.cfg.kinds() {
		if err := c.check(ctx, kind); err != nil {
			return fmt.Errorf("%s: %w", c.dialer.address, err)
		}
	}
	return nil
}

func (c *Carrier) check(ctx context.Context, kind pdu.ID) error {
	conn, err := c.dialer.open(ctx)
	if err != nil {
		return err
	}
	s := newSession(conn, 1, c.deps.Now, c.logger())
	s.start(ctx)
	defer func() {
		s.end(errEnding)
		s.running.Wait()
	}()
	if err := s.bind(ctx, kind, &c.cfg); err != nil {
		return err
	}
	// What comes of unbind proves nothing more.
	_, err = s.ask(ctx, pdu.Unbind, nil, unbindBound)
	if err != nil && ctx.Err() != nil && !errors.Is(err, errPeerClosed) {
		return err
	}
	return nil
}

// wake tells who waits that a link's state changed. The caller holds mu.
func (c *Carrier) wake() {
	close(c.changed)
	c.changed = make(chan struct{})
}

// notice tells the observer.
func (c *Carrier) notice(n Notice) { c.deps.Observer.Noticed(c.cfg.Name, n) }

// logger returns the log with the carrier's name.
func (c *Carrier) logger() *slog.Logger { return c.deps.Log.With(slog.String("carrier", c.cfg.Name)) }
