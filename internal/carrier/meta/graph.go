package meta

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
)

// maxAnswer is how much is read of an answer that is about no message: of a page
// of templates, 10 KiB for each, several times what the longest has.
const maxAnswer = pageSize * 10 << 10

// errNoAnswer: nobody answered, or with what the Graph API does not say.
var errNoAnswer = errors.New("no usable answer")

var threeNumbers = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`)

// agentOf returns the User-Agent of a version of the server.
func agentOf(version string) string {
	if version = threeNumbers.FindString(version); version == "" {
		version = "0.0.0"
	}
	return "Countersign/" + version
}

// request makes a request of the Graph API for an account. body is written as
// JSON; nil for none.
func (c *Carrier) request(ctx context.Context, a *Account, method, path string, query url.Values, body any) (*http.Request, error) {
	var content io.Reader
	if body != nil {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(body); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		content = bytes.NewReader(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
	}
	target := c.cfg.base + "/" + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, errors.New("make request: the URL is not valid") // its error holds the URL
	}
	req.Header.Set("Authorization", "Bearer "+a.Token.Reveal())
	req.Header.Set("User-Agent", c.agent)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, nil
}

// ask makes a request that is no message and decodes the answer into out. Its
// errors are an *Error or errNoAnswer.
func (c *Carrier) ask(ctx context.Context, a *Account, method, path string, query url.Values, body, out any) error {
	req, err := c.request(ctx, a, method, path, query, body)
	if err != nil {
		return err
	}
	answer, none := c.client.DoLong(req, maxAnswer)
	if none != nil {
		return fmt.Errorf("%w: %s", errNoAnswer, none.Failure.Text)
	}
	if p := problemOf(answer.Body); p != nil {
		return &Error{Status: answer.Status, Code: p.Code, Subcode: p.Subcode}
	}
	if httpsubmit.Classify(answer, c.deps.Now()).Failure.Code != "" {
		return &Error{Status: answer.Status}
	}
	if err := json.Unmarshal(answer.Body, out); err != nil {
		return fmt.Errorf("%w: it is not the expected JSON", errNoAnswer)
	}
	return nil
}
