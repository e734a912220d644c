package client

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds of a call.
const (
	defaultTimeout = 15 * time.Second
	maxAnswer      = 8 << 20 // bytes; a list of 1,000 OTPs is some 300 kB
)

// Client calls one server with one API key. New makes it; the zero Client cannot
// call. It is safe for concurrent use, and keeps connections for the next calls:
// make one and keep it.
type Client struct {
	base string
	key  hidden
	http *http.Client
}

// hidden keeps the API key from whoever prints what holds it.
type hidden struct{ reveal func() string }

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient makes calls with a copy of h, but follows no redirects: a server
// of this API sends none, and whoever else does would be given the key. Its
// time-out is h's, its transport decides how many connections are kept. By
// default, and if h is nil, each call takes at most 15 s, and up to 100
// connections are kept.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) {
		if h != nil {
			c.http = new(*h)
		}
	}
}

// ErrURL is returned for a base URL that no server can be called by, or that
// holds a user or a password: those would show where the client is printed.
var ErrURL = errors.New("not an http or https URL with a host and without user, query and fragment")

// New returns a client of the server at base, such as https://otp.example.com,
// with or without /2fa/v4 at its end. Its only error is ErrURL.
func New(base, key string, options ...Option) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return nil, ErrURL
	}
	c := &Client{
		base: strings.TrimSuffix(strings.TrimRight(u.String(), "/"), "/2fa/v4") + "/2fa/v4",
		key:  hidden{func() string { return key }},
		http: &http.Client{Transport: defaultTransport(), Timeout: defaultTimeout},
	}
	for _, o := range options {
		o(c)
	}
	c.http.Transport = unled{c.http.Transport}
	return c, nil
}

// String names the server. It does not show the key.
func (c *Client) String() string { return "client of " + c.base }

// GoString names the server. It does not show the key.
func (c *Client) GoString() string { return c.String() }
