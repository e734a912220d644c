package carriertest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// What no log may hold. The code is not in any other text of the suite.
const (
	canaryCode   = "80427519"
	canaryNumber = "+491712345678"
)

var errStore = errors.New("the store is away")

// ledger stands for the dispatcher: it knows references and keeps receipts.
type ledger struct {
	mu       sync.Mutex // guards what follows
	known    map[string]bool
	received []delivery.Receipt
	broken   bool
	lines    bytes.Buffer
}

func newLedger() *ledger { return &ledger{known: map[string]bool{}} }

// Write takes log lines.
func (l *ledger) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = l.lines.Write(p) // it never fails
	return len(p), nil
}

func (l *ledger) deps() Deps {
	return Deps{Receive: l.receive, Log: slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))}
}

func (l *ledger) receive(_ context.Context, r delivery.Receipt) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken {
		return false, errStore
	}
	l.received = append(l.received, r)
	return l.known[r.Ref], nil
}

func (l *ledger) breakDown(broken bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.broken = broken
}

func (l *ledger) learn(ref string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known[ref] = true
}

// of returns the receipts of a reference, or all of them for "".
func (l *ledger) of(ref string) []delivery.Receipt {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.received), func(r delivery.Receipt) bool { return ref != "" && r.Ref != ref })
}

// silent fails the test if a log line holds what none may.
func (l *ledger) silent(t testing.TB) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, secret := range []string{canaryCode, canaryNumber[1:]} {
		if strings.Contains(l.lines.String(), secret) {
			t.Errorf("a log line holds a code or a number:\n%s", l.lines.String())
		}
	}
}

// warned fails the test unless a warning has these words. What the upstream
// repeats is for tomorrow, whichever carrier it is.
func (l *ledger) warned(t testing.TB, words string) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.Lines(l.lines.String()) {
		if strings.Contains(line, "level=WARN") && strings.Contains(line, words) {
			return
		}
	}
	t.Errorf("no warning says %q:\n%s", words, l.lines.String())
}

// text returns a message to the canary number with the canary code.
func text(t testing.TB) delivery.Message {
	t.Helper()
	to, err := phone.FromE164(canaryNumber)
	if err != nil {
		t.Fatal(err)
	}
	template := message.Parse("Your code is {code}.", []message.Placeholder{{Token: "{code}", Code: true}})
	return delivery.Message{
		Dedupe: uuid.NewString(), Account: "acme", OTPID: uuid.NewString(), Recipient: to.Recipient(),
		Step:    delivery.Step{Channel: message.SMS, Text: template, Sender: "Acme", Wait: time.Minute},
		Code:    otp.NewCode(canaryCode),
		Expires: time.Now().Add(5 * time.Minute), //nolint:forbidigo // real carriers count from now
		Try:     1,
	}
}
