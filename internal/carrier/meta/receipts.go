package meta

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
)

const (
	maxWebhook   = 256 << 10 // bytes of a webhook's body
	maxChallenge = 256       // characters that the handshake echoes
	// receiveBound is for recording the receipts of a webhook: longer than the
	// dispatcher waits for a submit that is not recorded yet.
	receiveBound = 9 * time.Second

	signatureHeader = "X-Hub-Signature-256"
	signaturePrefix = "sha256="
)

var (
	errReceiveBound = errors.New("the receipts took too long to record")
	errPanic        = errors.New("a receipt led to a panic")
)

// Receipts serves the webhook: GET is the handshake of the subscription, POST
// brings statuses of messages and of templates. A POST is answered with 200
// once all of its receipts are durable, 401 without a signature, 403 with a
// wrong one, 400 if it is no JSON, 413 if it is too long and 503 if something
// could not be recorded: WhatsApp then sends it again, for up to seven days.
func (c *Carrier) Receipts() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		switch r.Method {
		case http.MethodGet:
			c.handshake(w, r)
		case http.MethodPost:
			w.WriteHeader(c.webhook(r))
		default:
			w.Header().Set("Allow", "GET, POST")
			w.WriteHeader(http.StatusMethodNotAllowed)
		}
	})
}

// handshake answers WhatsApp's question whether it is our URL.
func (c *Carrier) handshake(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	challenge := q.Get("hub.challenge")
	if q.Get("hub.mode") != "subscribe" || !same(q.Get("hub.verify_token"), c.cfg.VerifyToken) || len(challenge) > maxChallenge {
		c.notice(ForgedReceipt)
		w.WriteHeader(http.StatusForbidden)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = io.WriteString(w, challenge) //nolint:gosec // plain text, and only to who knows our word
}

// same compares in constant time; nothing is the same as no secret.
func same(given string, want setting.Secret) bool {
	a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(want.Reveal()))
	return hmac.Equal(a[:], b[:]) && want != (setting.Secret{})
}

// webhook takes a POST and returns the status of its answer.
func (c *Carrier) webhook(r *http.Request) int {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxWebhook+1))
	_, cut := errors.AsType[*http.MaxBytesError](err) // by who serves the URL
	switch {
	case cut || len(raw) > maxWebhook:
		return http.StatusRequestEntityTooLarge
	case err != nil:
		return http.StatusBadRequest
	}
	given := r.Header.Get(signatureHeader)
	if given == "" {
		c.notice(ForgedReceipt)
		return http.StatusUnauthorized
	}
	signed := c.signers(given, raw)
	if len(signed) == 0 {
		c.notice(ForgedReceipt)
		return http.StatusForbidden
	}
	hook, err := readWebhook(raw)
	if err != nil {
		c.notice(UnreadReceipt)
		return http.StatusBadRequest
	}
	ctx, cancel := context.WithTimeoutCause(r.Context(), receiveBound, errReceiveBound)
	defer cancel()
	if err := c.take(ctx, hook, signed); err != nil {
		c.notice(ReceiptRefused)
		c.logger().WarnContext(ctx, "receipts not recorded; they are asked for again", slog.Any("err", err))
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}

// signers returns the ids of the accounts whose app made the signature of raw.
func (c *Carrier) signers(given string, raw []byte) map[string]bool {
	text, found := strings.CutPrefix(given, signaturePrefix)
	got, err := hex.DecodeString(text)
	signed := map[string]bool{}
	for i := range c.cfg.Accounts {
		a := &c.cfg.Accounts[i]
		mac := hmac.New(sha256.New, []byte(a.AppSecret.Reveal()))
		mac.Write(raw) // it never fails
		if hmac.Equal(mac.Sum(nil), got) && found && err == nil {
			signed[a.ID] = true
		}
	}
	return signed
}

// take records all that a webhook tells of the accounts that signed it.
func (c *Carrier) take(ctx context.Context, hook webhook, signed map[string]bool) error {
	var b batch
	for _, entry := range hook.Entry {
		a := c.cfg.byID[entry.ID]
		if a == nil || !signed[entry.ID] {
			c.notice(ForeignReceipt)
			continue
		}
		for _, change := range entry.Changes {
			switch change.Field {
			case "messages":
				c.statuses(ctx, &b, a, change.messages)
			case "message_template_status_update":
				c.review(ctx, a, change.template)
			}
		}
	}
	b.recording.Wait()
	return b.failed
}

// batch is the receipts of a webhook that are being recorded.
type batch struct {
	recording sync.WaitGroup
	mu        sync.Mutex // guards failed
	failed    error      // the last that went wrong; nil for nothing
}

func (b *batch) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failed = err
}

// statuses begins to record what is told of the messages of one of a's numbers.
func (c *Carrier) statuses(ctx context.Context, b *batch, a *Account, told messageNews) {
	c.inbound(len(told.Messages))
	phoneID := told.Metadata.PhoneNumberID
	for _, s := range told.Statuses {
		r, ok := c.receiptOf(a, phoneID, s)
		if !ok {
			continue
		}
		select {
		case c.receipts <- struct{}{}:
		case <-ctx.Done():
			b.fail(fmt.Errorf("wait for a place: %w", context.Cause(ctx)))
			continue
		}
		b.recording.Go(func() {
			defer func() { <-c.receipts }()
			known, err := c.record(ctx, r)
			if err != nil {
				b.fail(err)
			}
			if known { // else anybody with an app could teach us
				c.failedLater(ctx, a, phoneID, s)
			}
		})
	}
}

func (c *Carrier) inbound(n int) {
	for range n {
		c.notice(Inbound)
	}
}

// record hands a receipt to the dispatcher and reports whether its message is
// known.
func (c *Carrier) record(ctx context.Context, r delivery.Receipt) (known bool, err error) {
	defer func() {
		if v := recover(); v != nil { // in a goroutine of ours nobody else would
			c.logger().ErrorContext(ctx, "a receipt led to a panic",
				slog.String("type", fmt.Sprintf("%T", v)), slog.String("stack", string(debug.Stack())))
			err = errPanic
		}
	}()
	known, err = c.deps.Receive(ctx, r)
	if err != nil {
		return false, fmt.Errorf("receive: %w", err)
	}
	if !known {
		c.notice(UnknownReceipt)
	}
	return known, nil
}
