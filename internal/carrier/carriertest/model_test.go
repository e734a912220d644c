package carriertest_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// flaw names, in the environment, what the model does wrong.
const flaw = "CARRIERTEST_FLAW"

// model is a carrier and its upstream in one, with one flaw or none.
type model struct {
	flaw string
	deps carriertest.Deps
	up   *upstream
	stop chan struct{}
	once sync.Once
}

// upstream is what outlives a restart.
type upstream struct {
	mu     sync.Mutex // guards what follows
	script []carriertest.Answer
	refs   []string
}

func (m *model) Name() string  { return "model" }
func (m *model) Dedupes() bool { return false }

func (m *model) Submit(ctx context.Context, msg delivery.Message) delivery.Result {
	m.up.mu.Lock()
	next := carriertest.Accept
	if len(m.up.script) > 0 {
		next, m.up.script = m.up.script[0], m.up.script[1:]
	}
	ref := msg.Dedupe
	if m.flaw == "new reference" {
		ref = fmt.Sprint(ref, len(m.up.refs))
	}
	m.up.refs = append(m.up.refs, ref)
	n := len(m.up.refs)
	m.up.mu.Unlock()
	why := otp.Failure{Area: delivery.AreaCarrier, Code: "1", Text: "The model says so"}
	if m.flaw == "logs" {
		m.deps.Log.InfoContext(ctx, "submitted", slog.String("text", msg.Text()))
	}
	if m.flaw == "own clock" && !msg.Expires.After(time.Now()) {
		next = carriertest.Refuse
	}
	switch next {
	case carriertest.Refuse:
		if m.flaw == "no reason" {
			return delivery.Result{Class: delivery.Permanent}
		}
		return delivery.Result{Class: delivery.Permanent, Failure: why}
	case carriertest.Misfit:
		return delivery.Result{Class: delivery.Config, Failure: why}
	case carriertest.Throttle, carriertest.Broken:
		return delivery.Result{Class: delivery.Retry, Failure: why}
	case carriertest.Silence:
		if m.flaw == "blind repetition" {
			return m.Submit(ctx, msg)
		}
		select {
		case <-ctx.Done():
		case <-m.stop:
		}
		return delivery.Result{Class: delivery.Uncertain, Failure: why}
	case carriertest.Accept:
	}
	return delivery.Result{Class: delivery.Accepted, Ref: fmt.Sprint("ref", n)}
}

func (m *model) receipt(t testing.TB, ref string, news carriertest.News) carriertest.Verdict {
	t.Helper()
	r := delivery.Receipt{Carrier: "model", Ref: ref, State: delivery.ReceiptDelivered}
	switch news {
	case carriertest.Underway:
		return carriertest.Taken
	case carriertest.Failed:
		r.State, r.Failure = delivery.ReceiptUndeliverable, otp.Failure{Area: delivery.AreaCarrier, Code: "1", Text: "Failed"}
	case carriertest.Arrived:
	}
	if m.flaw == "forgets" && ref == "ref1" {
		return carriertest.Taken
	}
	if _, err := m.deps.Receive(t.Context(), r); err != nil && m.flaw != "careless" {
		level := slog.LevelWarn
		if m.flaw == "alarms" {
			level = slog.LevelError
		}
		m.deps.Log.Log(t.Context(), level, "receipt not recorded; it is asked for again", slog.Any("err", err))
		return carriertest.Again
	}
	return carriertest.Taken
}

func rig(m *model) carriertest.Rig {
	refused := func(t testing.TB, ref string) carriertest.Verdict {
		t.Helper()
		if m.flaw == "credulous" {
			return m.receipt(t, ref, carriertest.Arrived)
		}
		return carriertest.Refused
	}
	r := carriertest.Rig{
		Carrier: m,
		Script: func(answers ...carriertest.Answer) {
			m.up.mu.Lock()
			defer m.up.mu.Unlock()
			m.up.script = answers
		},
		References: func() []string {
			m.up.mu.Lock()
			defer m.up.mu.Unlock()
			return append([]string(nil), m.up.refs...)
		},
		Receipt: m.receipt,
		Stop:    func() { m.once.Do(func() { close(m.stop) }) },
		Restart: func(_ testing.TB, d carriertest.Deps) carriertest.Rig {
			return rig(&model{flaw: m.flaw, deps: d, up: m.up, stop: make(chan struct{})})
		},
		Forge:   refused,
		Intrude: refused,
		Rotate: func(t testing.TB, ref string) (renewed, outdated carriertest.Verdict) {
			t.Helper()
			return m.receipt(t, ref, carriertest.Arrived), carriertest.Refused
		},
	}
	if m.flaw == "silently lacks" {
		r.Rotate = nil
	}
	return r
}

func TestTheSuitePassesACarrierThatKeepsTheRules(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func(_ testing.TB, d carriertest.Deps) carriertest.Rig {
		return rig(&model{flaw: os.Getenv(flaw), deps: d, up: &upstream{}, stop: make(chan struct{})})
	})
}

// The test above is run again, in a process of its own, with a carrier that has
// a flaw.
func TestTheSuiteFindsEveryFlaw(t *testing.T) {
	t.Parallel()
	for name, found := range map[string]string{
		"new reference":    "the_same_message_twice",
		"logs":             "a_log_line_holds_a_code",
		"no reason":        "a_recipient_that_will_never_work",
		"blind repetition": "nothing_is_repeated",
		"forgets":          "a_receipt_of_success",
		"careless":         "a_receipt_that_cannot_be_recorded",
		"alarms":           "no_warning_says",
		"own clock":        "the_store's_clock_says",
		"credulous":        "a_forged_receipt",
		"silently lacks":   "a_new_secret",
	} {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run", "^TestTheSuitePassesACarrierThatKeepsTheRules$")
		cmd.Env = append(os.Environ(), flaw+"="+name)
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("the suite passes a carrier with the flaw %q", name)
		}
		if text := strings.ReplaceAll(string(out), " ", "_"); !strings.Contains(text, found) {
			t.Errorf("with the flaw %q the suite does not tell of %s:\n%s", name, found, out)
		}
	}
}
