package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// apiKey is the bootstrap key of the servers under load. They listen on
// loopback, for the length of a measurement.
const apiKey = "bench-key-0123456789-0123456789-0123456789"

// target is a running server with what sends need.
type target struct {
	*process
	dir string
}

// options are what a measurement changes of the server's settings.
type options struct {
	submitDelay time.Duration // how long the sandbox carrier takes to answer
	env         []string
	joins       bool // a node of a deployment that is prepared already
}

// startTarget starts the server on a new data directory below dir. Limits are
// on for the sandbox too, so that their cost is in every figure.
func startTarget(ctx context.Context, binary, dir string, o options) (*target, error) {
	admin, err := freeAddress(ctx)
	if err != nil {
		return nil, err
	}
	env := append([]string{
		"COUNTERSIGN_LISTEN=127.0.0.1:0",
		"COUNTERSIGN_ADMIN_LISTEN=" + admin,
		"COUNTERSIGN_DATA_DIR=" + filepath.Join(dir, "data"),
		"COUNTERSIGN_BOOTSTRAP_API_KEY=" + apiKey,
		"COUNTERSIGN_SANDBOX_LIMITS=true",
		"COUNTERSIGN_LOG_LEVEL=warn",
		"COUNTERSIGN_SANDBOX_SUBMIT_DELAY=" + o.submitDelay.String(),
	}, o.env...)
	p, err := start(ctx, env, binary, "serve")
	if err != nil {
		return nil, err
	}
	p.admin = admin
	t := &target{p, filepath.Join(dir, "data")}
	if o.joins {
		return t, nil
	}
	if err := t.prepare(ctx); err != nil {
		t.stop()
		return nil, err
	}
	return t, nil
}

// freeAddress finds a loopback port that is free now.
func freeAddress(ctx context.Context) (string, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().String(), nil
}

// prepare makes the template, profile and priority that sends name.
func (t *target) prepare(ctx context.Context) error {
	for _, r := range []struct{ path, body string }{
		{"/2fa/v4/templates/sms", `{"name":"t","language":"en","message":"ACME code {{otp_code}}, valid {{expiration_time}} min.","codeExpirationTime":120}`},
		{"/2fa/v4/templates/sms", `{"name":"short","language":"en","message":"ACME code {{otp_code}}","codeExpirationTime":1}`},
		{"/2fa/v4/profiles", `{"name":"login","channels":[{"type":"SMS","templates":[{"name":"t"}]}]}`},
		{"/2fa/v4/profiles", `{"name":"short","channels":[{"type":"SMS","templates":[{"name":"short"}]}]}`},
		{"/2fa/v4/priorities", `{"name":"sms-only","channelPriority":[{"channel":"SMS","priority":1}]}`},
	} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+t.addr+r.path, strings.NewReader(r.body))
		if err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		req.Header.Set("apiKey", apiKey)
		res, err := (&http.Client{Timeout: exchangeTimeout}).Do(req)
		if err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
		body, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10))
		_ = res.Body.Close()
		if res.StatusCode != http.StatusCreated {
			return fmt.Errorf("prepare %s: %d %s", r.path, res.StatusCode, body)
		}
	}
	return nil
}

// benchCode is the code of every OTP that is to be checked.
const benchCode = "483920"

// number is recipient i: each one is sent to once or twice at the most, so
// that no limit refuses. It never ends in the digits that the sandbox treats
// in its own way.
func number(i int) string { return fmt.Sprintf("+49151%07d%d", i, 77) }

// send returns a call that sends OTP first+i and, if ids is not nil, keeps its
// id there.
func (t *target) send(profile string, first int, ids []string) call {
	return func(c *conn, i int) error {
		body := fmt.Appendf(nil, `{"to":"%s","profileName":"%s","priorityName":"sms-only","otpCode":"%s"}`, number(first+i), profile, benchCode)
		status, answer, err := c.exchange(c.request("POST", "/2fa/v4/otp", apiKey, body))
		if err != nil {
			return err
		}
		if status != http.StatusAccepted {
			return fmt.Errorf("send answered %d %s", status, answer)
		}
		if ids != nil {
			var a struct {
				ID string `json:"id"`
			}
			if err := json.Unmarshal(answer, &a); err != nil {
				return fmt.Errorf("send answered %s: %w", answer, err)
			}
			ids[i] = a.ID
		}
		return nil
	}
}

// check returns a call that checks: of each OTP first a wrong, then the right
// code, one OTP of ids after the other.
func (t *target) check(ids []string) call {
	half := len(ids)
	return func(c *conn, i int) error {
		code, want := "000000", `{"otpStatus":"WRONG_CODE"}`
		if i >= half {
			code, want = benchCode, `{"otpStatus":"VERIFIED"}`
		}
		status, answer, err := c.exchange(c.request("POST", "/2fa/v4/otp/"+ids[i%half]+"/validate", apiKey, []byte(`{"otpCode":"`+code+`"}`)))
		if err != nil {
			return err
		}
		if status != http.StatusOK || string(bytes.TrimSpace(answer)) != want {
			return fmt.Errorf("check answered %d %s, want %s", status, answer, want)
		}
		return nil
	}
}

// bareCall is the request that the bare net/http server is measured with: as
// large as a send.
func bareCall(c *conn, i int) error {
	body := fmt.Appendf(nil, `{"to":"%s","profileName":"login","priorityName":"sms-only","otpCode":"%s","filler":"0123456789012345678901234567890123456789"}`, number(i), benchCode)
	status, _, err := c.exchange(c.request("POST", "/2fa/v4/otp", apiKey, body))
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("bare server answered %d", status)
	}
	return nil
}

// series is a metric's samples by its labels' text.
type series map[string]float64

// metric reads the samples of one metric from the admin address.
func (t *target) metric(ctx context.Context, name string) (series, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+t.admin+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	res, err := (&http.Client{Timeout: exchangeTimeout}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	found := series{}
	for line := range strings.Lines(string(text)) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), name)
		if !ok || rest == "" || (rest[0] != '{' && rest[0] != ' ') {
			continue
		}
		at := strings.LastIndexByte(rest, ' ')
		v, err := strconv.ParseFloat(rest[at+1:], 64)
		if err != nil {
			return nil, fmt.Errorf("read metrics: %w", err)
		}
		found[strings.TrimSpace(rest[:at])] = v
	}
	if len(found) == 0 {
		return nil, errors.New("no metric " + name)
	}
	return found, nil
}
