package callback

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/resolve"
)

// Bounds of one attempt (callback events §8, W-04).
const (
	defaultTimeout = 10 * time.Second // in all
	connectTimeout = 5 * time.Second  // name resolution included; the TLS handshake has as long again
	// maxAnswerHead is in bytes. A longer head is no answer and would turn a 2xx
	// into "not received", so it is far beyond what proxies and policies add.
	maxAnswerHead = 64 << 10
	maxAnswerBody = 4 << 10 // bytes read, so that the connection can serve again
	// bodyTimeout is how long they may take after the head: longer than slowFrom,
	// so that an endpoint lags that keeps its place by a body that does not end.
	bodyTimeout = 2 * time.Second
	// idleTimeout is less than the 5 s after which common servers close idle
	// connections: a POST that meets the close has to be made again.
	idleTimeout = 4 * time.Second
)

var errAttemptTimeout = errors.New("attempt took too long")

// client makes single POSTs. Connections are kept per host.
type client struct {
	guard     *Guard
	keys      Opener
	agent     string
	prefix    string
	timeout   time.Duration
	now       func() time.Time // the store's, which PreviousUntil is of
	wall      func() time.Time // this machine's
	dialer    *net.Dialer
	transport *http.Transport
	fresh     *http.Transport // it connects anew for each request
}

func newDialer(g *Guard) *net.Dialer {
	return &net.Dialer{Timeout: connectTimeout, ControlContext: g.Control, Resolver: resolve.New()}
}

func newTransport(dialer *net.Dialer, roots *x509.CertPool, idle int) *http.Transport {
	http1 := new(http.Protocols)
	http1.SetHTTP1(true) // HTTP/2 would send custom headers in lower case
	return &http.Transport{
		Proxy:                  nil, // an environment's proxy would connect past the guard
		DialContext:            dialer.DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    connectTimeout,
		DisableCompression:     true, // the answer is ignored
		MaxIdleConns:           idle,
		MaxIdleConnsPerHost:    perConfig,
		IdleConnTimeout:        idleTimeout,
		MaxResponseHeaderBytes: maxAnswerHead,
		Protocols:              http1,
	}
}

// freshTransport is one like t that keeps no connection. DisableKeepAlives
// would tell the receiver.
func freshTransport(t *http.Transport) *http.Transport {
	t = t.Clone()
	t.MaxIdleConnsPerHost = -1
	return t
}

// answer is what a POST came to.
type answer struct {
	status     int           // 0 if there was no answer
	problem    string        // then
	latency    time.Duration // until the head, or until there was to be none
	took       time.Duration // in all, the body included
	retryAfter time.Duration
}

func (a answer) received() bool { return a.status >= 200 && a.status <= 299 }

// post makes one attempt. It returns within the time-out.
func (c *client) post(ctx context.Context, p Post) answer {
	body, err := render(p, c.prefix)
	if err != nil {
		return answer{problem: ProblemRequest}
	}
	return c.send(ctx, p, body)
}

// send is post with a body.
func (c *client) send(ctx context.Context, p Post, body []byte) answer {
	ctx, cancel := context.WithTimeoutCause(ctx, c.timeout, errAttemptTimeout)
	defer cancel()
	req, problem := c.request(ctx, p, body)
	if problem != "" {
		return answer{problem: problem}
	}
	start := c.wall()
	resp, problem := c.exchange(req, body)
	end := c.wall()
	a := answer{problem: problem, latency: end.Sub(start), took: end.Sub(start)}
	if problem != "" {
		return a
	}
	a.status, a.retryAfter = resp.StatusCode, retryAfter(resp.StatusCode, resp.Header, end)
	discard(resp, cancel)
	a.took = c.wall().Sub(start)
	return a
}

// discard ends an answer. Nothing of its body changes the outcome, for the
// status has been received; a short one is read, so that the connection can
// serve again. abort ends the request's context.
func discard(resp *http.Response, abort context.CancelFunc) {
	// The body of a 101 is the connection itself, whose reads no context ends.
	if resp.StatusCode != http.StatusSwitchingProtocols {
		late := time.AfterFunc(bodyTimeout, abort)
		_, _ = io.CopyN(io.Discard, resp.Body, maxAnswerBody)
		late.Stop()
	}
	_ = resp.Body.Close()
}

// request writes the POST; otherwise it returns a problem.
func (c *client) request(ctx context.Context, p Post, body []byte) (*http.Request, string) {
	secrets, custom, err := c.open(p)
	if err != nil {
		return nil, ProblemSealed
	}
	u, err := url.Parse(p.URL)
	if err != nil {
		return nil, ProblemURL
	}
	if err := c.guard.CheckURL(u); err != nil {
		return nil, problemOf(err)
	}
	user := u.User
	u.User, u.Fragment, u.RawFragment = nil, "", ""
	u.RawPath, u.RawQuery = escapeForeign(u.RawPath), escapeForeign(u.RawQuery)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), bytes.NewReader(body))
	if err != nil {
		return nil, ProblemURL
	}
	req.URL = u // as parsed from the configured text, not from a rewritten one
	now := c.wall()
	id := "msg_" + p.ID
	signature, err := Sign(secrets, id, now, body)
	if err != nil {
		return nil, ProblemSealed
	}
	if user != nil {
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	req.Header["Content-Type"] = []string{"application/json"}
	req.Header["User-Agent"] = []string{c.agent}
	addHeaders(req.Header, custom)
	req.Header[headerID] = []string{id}
	req.Header[headerTimestamp] = []string{strconv.FormatInt(now.Unix(), 10)}
	req.Header[headerSignature] = []string{signature}
	return req, ""
}

// escapeForeign percent-encodes the octets that no URI has (RFC 3986 §2) and
// leaves all else as it is. Package net/url writes a path that holds one anew,
// without the escapes that were there, and a query with it as it is.
func escapeForeign(part string) string {
	var b strings.Builder
	for i := range len(part) {
		if c := part[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"<>\\^`{|}", c) >= 0 {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// open unseals what the configuration keeps sealed.
func (c *client) open(p Post) (secrets []Secret, custom []customHeader, err error) {
	sealed := [][]byte{p.Secret}
	if p.Previous != nil && c.now().Before(p.PreviousUntil) {
		sealed = append(sealed, p.Previous)
	}
	for _, s := range sealed {
		plain, err := c.keys.Open(s, SecretContext(p.Account, p.ConfigID)...)
		if err != nil {
			return nil, nil, fmt.Errorf("open signing secret: %w", err)
		}
		secret, err := ParseSecret(string(plain))
		if err != nil {
			return nil, nil, err
		}
		secrets = append(secrets, secret)
	}
	if p.Headers == nil {
		return secrets, nil, nil
	}
	plain, err := c.keys.Open(p.Headers, HeadersContext(p.Account, p.ConfigID)...)
	if err != nil {
		return nil, nil, fmt.Errorf("open custom headers: %w", err)
	}
	custom, err = parseHeaders(plain)
	return secrets, custom, err
}

// SecretContext is what signing secrets of a configuration, as Secret.Reveal
// writes them, are sealed for.
func SecretContext(account, configID string) []string {
	return []string{"callback secret", account, configID}
}

// HeadersContext is what the custom headers of a configuration, a JSON array
// of objects with Name and Value, are sealed for.
func HeadersContext(account, configID string) []string {
	return []string{"callback headers", account, configID}
}
