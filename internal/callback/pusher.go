package callback

import (
	"crypto/rand"
	"crypto/x509"
	"io"
	"log/slog"
	"time"
)

// Opener opens what was sealed for a context.
type Opener interface {
	Open(sealed []byte, context ...string) ([]byte, error)
}

// Results of attempts, for Observer.
const (
	ResultReceived = "received" // any 2xx
	ResultRetry    = "retry"    // waits for its next attempt
	ResultDead     = "dead"     // became a dead letter
)

// Observer counts attempts. It is called by one goroutine at a time.
type Observer interface {
	// Posted tells what an attempt came to, once it is recorded, and how long
	// the answer took.
	Posted(result string, latency time.Duration)
}

// Config is what a Pusher needs. Store and Keys are required.
type Config struct {
	Store Store
	Keys  Opener
	// Guard decides which addresses are reached; nil for public ones only.
	Guard *Guard
	// Version is the server's, for User-Agent.
	Version string
	// ErrorPrefix is the first part of error codes, DefaultErrorPrefix if "".
	ErrorPrefix string
	// Random is what the jitter of waits is drawn from, crypto/rand if nil.
	Random io.Reader
	// Now is the store's time, which says what is due; time.Now if nil.
	Now func() time.Time
	// Wall is this machine's clock, which attempts are signed and measured with:
	// a store's never goes back and so may stay ahead for long, and receivers
	// refuse what is signed minutes from now. time.Now if nil.
	Wall func() time.Time
	// Node names this process among those that share the database. After a
	// crash, a process of the same name takes its posts up at once, one of
	// another name when their leases end.
	Node string
	// Log is told of dead letters and of a store that fails; nobody if nil.
	Log *slog.Logger
	// Observer may be nil.
	Observer Observer
	// InFlight is how many requests are made at a time over all
	// configurations, 512 if 0.
	InFlight int
	// Timeout is how long an attempt may take, 10 s if 0.
	Timeout time.Duration
	// RootCAs are trusted for https, the system's if nil.
	RootCAs *x509.CertPool
}

// Pusher posts events to customers' URLs. Use New.
type Pusher struct {
	store    Store
	client   *client
	random   io.Reader
	now      func() time.Time
	node     string
	log      *slog.Logger
	observer Observer
	load     *load
	wake     chan struct{}
}

// New returns a pusher that does nothing until Run.
func New(c Config) *Pusher {
	if c.Guard == nil {
		c.Guard = NewGuard(GuardConfig{})
	}
	if c.ErrorPrefix == "" {
		c.ErrorPrefix = DefaultErrorPrefix
	}
	if c.Random == nil {
		c.Random = rand.Reader
	}
	if c.Now == nil {
		c.Now = time.Now //nolint:forbidigo // the default; tests pass theirs
	}
	if c.Wall == nil {
		c.Wall = time.Now //nolint:forbidigo // the default; tests pass theirs
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.InFlight <= 0 {
		c.InFlight = defaultInFlight
	}
	if c.Timeout <= 0 {
		c.Timeout = defaultTimeout
	}
	dialer := newDialer(c.Guard)
	transport := newTransport(dialer, c.RootCAs, c.InFlight)
	return &Pusher{
		store: c.Store,
		client: &client{
			guard: c.Guard, keys: c.Keys, agent: "Countersign/" + c.Version, prefix: c.ErrorPrefix,
			timeout: c.Timeout, now: c.Now, wall: c.Wall, dialer: dialer, transport: transport, fresh: freshTransport(transport),
		},
		random: c.Random, now: c.Now, node: c.Node, log: c.Log, observer: c.Observer,
		load: newLoad(c.InFlight), wake: make(chan struct{}, 1),
	}
}

// Wake tells that an event may have been written. It never blocks and may be
// called by anybody at any time.
func (p *Pusher) Wake() {
	select {
	case p.wake <- struct{}{}:
	default: // a wake-up is waiting already
	}
}
