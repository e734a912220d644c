package webhook_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/webhook"
)

// receiver is a program that takes messages, for the suite.
type receiver struct {
	server *httptest.Server
	free   chan struct{} // closed at the end: silence is over

	mu     sync.Mutex // guards what follows
	script []carriertest.Answer
	refs   []string          // of every request, in order
	taken  map[string]string // the reference that an id got
}

func newReceiver(t testing.TB) *receiver {
	t.Helper()
	r := &receiver{free: make(chan struct{}), taken: map[string]string{}}
	r.server = httptest.NewServer(r)
	t.Cleanup(func() {
		close(r.free)
		r.server.Close()
	})
	return r
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	var m struct {
		ID string `json:"id"`
	}
	if err != nil || json.Unmarshal(body, &m) != nil || m.ID != req.Header.Get("Idempotency-Key") {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	next := carriertest.Accept
	if len(r.script) > 0 {
		next, r.script = r.script[0], r.script[1:]
	}
	r.refs = append(r.refs, m.ID)
	ref, again := r.taken[m.ID]
	if !again && next == carriertest.Accept {
		ref = fmt.Sprint("ref-", len(r.taken))
		r.taken[m.ID] = ref
	}
	r.mu.Unlock()
	switch next {
	case carriertest.Accept:
		if again {
			w.WriteHeader(http.StatusConflict)
		}
		_, _ = fmt.Fprintf(w, `{"ref":%q}`, ref)
	case carriertest.Refuse:
		w.WriteHeader(http.StatusUnprocessableEntity)
	case carriertest.Misfit:
		w.WriteHeader(http.StatusUnauthorized)
	case carriertest.Throttle:
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	case carriertest.Broken:
		w.WriteHeader(http.StatusInternalServerError)
	case carriertest.Silence:
		<-r.free
	}
}

func TestWebhookIsACarrier(t *testing.T) {
	t.Parallel()
	carriertest.Run(t, func(t testing.TB, d carriertest.Deps) carriertest.Rig {
		return rigOf(t, newReceiver(t), 1, d)
	})
}

func rigOf(t testing.TB, r *receiver, secret byte, d carriertest.Deps) carriertest.Rig {
	t.Helper()
	cfg := config(r.server.URL)
	cfg.Secret = setting.NewSecret(secretOf(secret))
	c, err := webhook.New(cfg, webhook.Deps{Receive: d.Receive, Log: d.Log, Now: time.Now, ReceiptURL: receiptURL})
	if err != nil {
		t.Fatal(err)
	}
	stop := carriertest.Start(t, c)
	body := func(ref string, news carriertest.News) string {
		return fmt.Sprintf(`{"ref":%q,"status":%q,"reason":"blocked"}`, ref, map[carriertest.News]string{
			carriertest.Arrived: "DELIVERED", carriertest.Failed: "UNDELIVERABLE", carriertest.Underway: "DISPATCHED",
		}[news])
	}
	return carriertest.Rig{
		Carrier: c,
		Stop:    stop,
		Script: func(answers ...carriertest.Answer) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.script = answers
		},
		References: func() []string {
			r.mu.Lock()
			defer r.mu.Unlock()
			return append([]string(nil), r.refs...)
		},
		Receipt: func(t testing.TB, ref string, news carriertest.News) carriertest.Verdict {
			t.Helper()
			return verdict(report(t, c.Receipts(), secretOf(secret), body(ref, news), time.Now()))
		},
		Restart: func(t testing.TB, d carriertest.Deps) carriertest.Rig {
			t.Helper()
			stop()
			return rigOf(t, r, secret, d)
		},
		Forge: func(t testing.TB, ref string) carriertest.Verdict {
			t.Helper()
			return verdict(report(t, c.Receipts(), secretOf(66), body(ref, carriertest.Arrived), time.Now()))
		},
		Rotate: func(t testing.TB, ref string) (renewed, outdated carriertest.Verdict) {
			t.Helper()
			stop()
			next := rigOf(t, r, secret+1, d)
			fresh, ok := next.Carrier.(*webhook.Carrier)
			if !ok {
				t.Fatal("not a webhook")
			}
			return next.Receipt(t, ref, carriertest.Arrived),
				verdict(report(t, fresh.Receipts(), secretOf(secret), body(ref, carriertest.Arrived), time.Now()))
		},
		Lacks: map[string]string{"Intrude": "the token is checked before the carrier is asked"},
	}
}

func verdict(status int) carriertest.Verdict {
	switch status {
	case http.StatusOK:
		return carriertest.Taken
	case http.StatusServiceUnavailable:
		return carriertest.Again
	case http.StatusUnauthorized, http.StatusForbidden:
		return carriertest.Refused
	}
	return 0
}
