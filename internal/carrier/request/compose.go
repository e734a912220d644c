package request

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/countersign/countersign/internal/delivery"
)

var errURL = errors.New("the URL is none once its placeholders are filled in")

// unfitError is a placeholder whose value its place cannot hold.
type unfitError struct{ name string }

func (e *unfitError) Error() string { return "the value of " + e.name + " does not fit" }

// facts gathers what a message's placeholders are filled in from.
func (c *Carrier) facts(m delivery.Message) *facts {
	f := &facts{Message: m, text: m.Text(), now: c.deps.Now(), sender: m.Step.Sender, receiptURL: c.deps.ReceiptURL, encodings: c.cfg.Encodings}
	if f.sender == "" {
		f.sender = c.cfg.Sender
	}
	return f
}

// request writes a message.
func (c *Carrier) request(ctx context.Context, f *facts) (*http.Request, error) {
	body, unfit := c.cfg.body.render(f)
	if unfit != "" {
		return nil, &unfitError{unfit}
	}
	req, err := c.open(ctx, c.cfg.Method, c.cfg.url, f, body)
	if err != nil {
		return nil, err
	}
	for name, t := range c.cfg.headers {
		value, unfit := t.render(f)
		if unfit != "" {
			return nil, &unfitError{unfit}
		}
		req.Header[name] = []string{value}
	}
	if body == "" {
		req.Body, req.GetBody = nil, nil
	} else {
		req.Header.Set("Content-Type", c.contentType())
	}
	return req, nil
}

// checkRequest writes the request of a check.
func (c *Carrier) checkRequest(ctx context.Context) (*http.Request, error) {
	f := &facts{}
	if c.cfg.CheckURL == "" {
		req, err := http.NewRequestWithContext(ctx, http.MethodHead, c.cfg.base.JoinPath("/").String(), nil)
		if err != nil {
			return nil, fmt.Errorf("write request: %w", err)
		}
		req.Header.Set("User-Agent", c.agent())
		return req, nil
	}
	req, err := c.open(ctx, http.MethodGet, c.cfg.probe, f, "")
	if err != nil {
		return nil, err
	}
	req.Body, req.GetBody = nil, nil
	for name, t := range c.cfg.headers {
		if t.holds(func(name string) bool { return !isSecret(name) }) {
			continue // it is about a message
		}
		value, _ := t.render(f)
		req.Header[name] = []string{value}
	}
	return req, nil
}

// open begins a request, with who we are.
func (c *Carrier) open(ctx context.Context, method string, to template, f *facts, body string) (*http.Request, error) {
	at, unfit := to.render(f)
	if unfit != "" {
		return nil, &unfitError{unfit}
	}
	req, err := http.NewRequestWithContext(ctx, method, at, strings.NewReader(body))
	if err != nil {
		return nil, errURL // the cause would quote it
	}
	c.cfg.Authorize(req)
	req.Header.Set("User-Agent", c.agent())
	return req, nil
}

func (c *Carrier) agent() string { return "Countersign/" + c.deps.Version }

func (c *Carrier) contentType() string {
	switch c.cfg.ContentType {
	case formatForm:
		return "application/x-www-form-urlencoded"
	case formatText:
		return "text/plain; charset=utf-8"
	}
	return "application/json"
}
