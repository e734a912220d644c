package httpsubmit

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/resolve"
)

// Bounds of one request.
const (
	defaultTimeout = 10 * time.Second // in all; the dispatcher gives a submit longer
	connectTimeout = 5 * time.Second  // name resolution included; the TLS handshake has as long again
	maxHead        = 64 << 10         // bytes of an answer's header
	maxBody        = 64 << 10         // bytes read of an answer's body
	// idleTimeout is less than the 5 s after which common servers close idle
	// connections: a request that meets the close is lost, and nobody can say
	// whether it was read.
	idleTimeout = 4 * time.Second
	// maxIdle is how many idle connections a host keeps. Busy ones have no bound of
	// their own; the dispatcher's places for the carrier are it.
	maxIdle = 64
)

var (
	errTimeout = errors.New("no answer in time")
	errClosed  = errors.New("the carrier ends")
)

// Options say how a Client connects. The zero value works.
type Options struct {
	// Timeout is for a request in all, until its answer is read: 10 s by default.
	Timeout time.Duration
	// TLS is cloned; versions before 1.2 are refused whatever it says. nil
	// trusts the system's authorities.
	TLS *tls.Config
	// Dial opens connections; by default a net.Dialer does, in 5 s. Tests and
	// guards of addresses set it.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// With returns the options with what a configuration says, of which secure may
// be nil. A Dial that is set goes past allowed, which is asked about each address
// (Dialer).
func (o Options) With(timeout time.Duration, secure *tls.Config, allowed func(netip.Addr) bool) Options {
	o.Timeout = timeout
	if secure != nil {
		o.TLS = secure
	}
	if o.Dial == nil {
		o.Dial = Dialer(allowed)
	}
	return o
}

// Client makes single requests. It is safe for concurrent use.
type Client struct {
	timeout time.Duration
	kept    *http.Transport // its connections serve one request after the other
	single  *http.Transport // each connection of its own serves one request (replay.go)

	mu     sync.Mutex // guards what follows
	closed bool
	last   int
	flying map[int]context.CancelCauseFunc // what ends each request in flight
}

// New returns a client. Close or Run ends it.
func New(o Options) *Client {
	if o.Timeout <= 0 {
		o.Timeout = defaultTimeout
	}
	if o.Dial == nil {
		o.Dial = (&net.Dialer{Timeout: connectTimeout, Resolver: resolve.New()}).DialContext
	}
	secure := &tls.Config{MinVersion: tls.VersionTLS12}
	if o.TLS != nil {
		secure = o.TLS.Clone()
		secure.MinVersion = max(secure.MinVersion, tls.VersionTLS12)
	}
	c := &Client{timeout: o.Timeout, flying: map[int]context.CancelCauseFunc{}, kept: o.transport(secure), single: o.transport(secure)}
	c.single.DisableKeepAlives = true
	return c
}

// transport returns one with the options, all of which are set, over a copy of
// secure.
func (o Options) transport(secure *tls.Config) *http.Transport {
	return &http.Transport{
		Proxy:                  nil, // an environment's proxy would read codes
		DialContext:            o.Dial,
		TLSClientConfig:        secure.Clone(),
		TLSHandshakeTimeout:    connectTimeout,
		DisableCompression:     true, // answers are short, and bounded as they are read
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxHead,
		ForceAttemptHTTP2:      true,
	}
}

// Run waits until ctx ends, then closes the client. It is what a carrier's Run
// does that has nothing else to do in the background.
func (c *Client) Run(ctx context.Context) error {
	<-ctx.Done()
	c.Close()
	return nil
}

// Close ends what is in flight, as if its answer did not come, and every later
// request before it is written, and closes idle connections. It may be called
// more than once.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	for _, abort := range c.flying {
		abort(errClosed)
	}
	c.mu.Unlock()
	c.kept.CloseIdleConnections()
	c.single.CloseIdleConnections()
}

// begin notes a request that abort ends, and aborts it if the client is closed.
// What it returns takes the note away.
func (c *Client) begin(abort context.CancelCauseFunc) (end func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		abort(errClosed)
	}
	c.last++
	n := c.last
	c.flying[n] = abort
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.flying, n)
	}
}

// Answer is what an upstream said.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte // its first 64 KiB, or what DoLong was to read
}

// Do sends a request once and reads the answer, whatever its status; a redirect
// is an answer too. If no whole answer came it returns a Result: Retry if nothing
// of the request can have been written, else Uncertain, with a failure that
// names what happened and holds nothing of the request. Of an answer other than
// 2xx the status is enough: its Body is what could be read.
func (c *Client) Do(req *http.Request) (Answer, *delivery.Result) { return c.DoLong(req, maxBody) }

// DoLong is Do for an answer of which up to most bytes are read.
func (c *Client) DoLong(req *http.Request, most int64) (Answer, *delivery.Result) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), c.timeout, errTimeout)
	defer cancel()
	ctx, abort := context.WithCancelCause(ctx)
	defer abort(nil)
	defer c.begin(abort)()

	var written atomic.Bool
	req, transport := c.once(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// Asked again only for a request of which nothing was written (once).
		GetConn:      func(string) { written.Store(false) },
		WroteHeaders: func() { written.Store(true) },
		WroteRequest: func(httptrace.WroteRequestInfo) { written.Store(true) },
	})))
	plain(req)
	inTime(ctx, req)
	// RoundTrip and not http.Client: no redirects, no cookies, and basic
	// authentication only where the carrier put it.
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return Answer{}, unanswered(ctx, err, written.Load())
	}
	if resp.StatusCode == http.StatusSwitchingProtocols {
		// Its body is the connection itself, whose reads no context ends.
		_ = resp.Body.Close()
		return Answer{Status: resp.StatusCode, Header: resp.Header}, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, most))
	_ = resp.Body.Close() // what is left of it is of no interest
	if err != nil && resp.StatusCode/100 == http.StatusOK/100 {
		return Answer{}, unanswered(ctx, err, true) // what it was to say of the message is missing
	}
	return Answer{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}

// plain asks for an answer without a content coding, of which none is read here:
// where a request does not say so, any may come (RFC 9110 §12.5.3). What an
// operator's settings say stays, however it is spelled.
func plain(req *http.Request) {
	const accept = "Accept-Encoding"
	for name := range req.Header {
		if strings.EqualFold(name, accept) {
			return
		}
	}
	req.Header.Set(accept, "identity")
}
