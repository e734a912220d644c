package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
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

// Client calls one server with one API key. It is safe for concurrent use.
type Client struct {
	base string
	key  hidden
	http *http.Client
}

// hidden keeps the API key from whoever prints what holds it.
type hidden struct{ reveal func() string }

// Option changes how a Client works.
type Option func(*Client)

// WithHTTPClient makes calls with h, but follows no redirects: a server of this
// API sends none, and whoever else does would be given the key. By default each
// call takes at most 15 s.
func WithHTTPClient(h *http.Client) Option {
	return func(c *Client) { c.http = new(*h) }
}

// ErrURL is returned for a base URL that no server can be called by, or that
// holds a user or a password: those would show where the client is printed.
var ErrURL = errors.New("not an http or https URL with a host and without user, query and fragment")

// New returns a client of the server at base, such as https://otp.example.com,
// with or without /2fa/v4 at its end. Its only error is ErrURL.
func New(base, key string, options ...Option) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, ErrURL
	}
	c := &Client{
		base: strings.TrimSuffix(strings.TrimRight(u.String(), "/"), "/2fa/v4") + "/2fa/v4",
		key:  hidden{func() string { return key }}, http: &http.Client{Timeout: defaultTimeout},
	}
	for _, o := range options {
		o(c)
	}
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return c, nil
}

// String names the server. It does not show the key.
func (c *Client) String() string { return "client of " + c.base }

// GoString names the server. It does not show the key.
func (c *Client) GoString() string { return c.String() }

// call makes one request and decodes the answer into out, unless that is nil.
func (c *Client) call(ctx context.Context, method, path string, in, out any, header ...string) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("apiKey", c.key.reveal())
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("call server: %w", plain(err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return refusal(resp, answer)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("decode answer of status %d: %w", resp.StatusCode, err)
	}
	return nil
}

// plain drops the URL from an error of net/http: it may hold a number.
func plain(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
