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
)

// CallOption changes how one call is made.
type CallOption func(*callOptions)

type callOptions struct{ idempotencyKey string }

// WithIdempotencyKey makes a repeated Send, Validate or Delete answer as the
// first did, for 24 h: what is repeated after a lost answer is done once. A key
// is for one request; with another message, id or code it is ErrIdempotency, and
// so it is while the first is still running. It is a random text of up to 255
// visible ASCII characters, "" for none. Read and List can be repeated without it.
func WithIdempotencyKey(key string) CallOption {
	return func(o *callOptions) { o.idempotencyKey = key }
}

// call makes one request and decodes the answer into out, unless that is nil. It
// returns the answer's header.
func (c *Client) call(ctx context.Context, method, path string, in, out any, options []CallOption) (http.Header, error) {
	req, err := c.request(ctx, method, path, in, options)
	if err != nil {
		return nil, err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("call server: %w", plain(err))
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return nil, refusal(resp, answer) // its status stands, even if its body broke off
	case err != nil:
		return nil, fmt.Errorf("read answer: %w", err)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("answer of status %d is longer than %d bytes", resp.StatusCode, maxAnswer)
	case out == nil:
		return resp.Header, nil
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return nil, fmt.Errorf("decode answer of status %d: %w", resp.StatusCode, err)
	}
	return resp.Header, nil
}

func (c *Client) request(ctx context.Context, method, path string, in any, options []CallOption) (*http.Request, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("apiKey", c.key.reveal())
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	var how callOptions
	for _, o := range options {
		o(&how)
	}
	if how.idempotencyKey != "" {
		req.Header.Set("Idempotency-Key", how.idempotencyKey)
	}
	return req, nil
}

// plain drops the URL from an error of net/http: it may hold a number.
func plain(err error) error {
	if e, ok := errors.AsType[*url.Error](err); ok {
		return e.Err
	}
	return err
}
