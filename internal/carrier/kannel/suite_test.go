package kannel_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/kannel"
)

// double answers as Kannel does.
type double struct {
	server *httptest.Server
	free   chan struct{} // closed at the end: silence is over

	mu     sync.Mutex // guards what follows
	script []carriertest.Answer
	refs   []string // of every request, in order
}

func newDouble(t testing.TB) *double {
	t.Helper()
	d := &double{free: make(chan struct{})}
	d.server = httptest.NewServer(d)
	t.Cleanup(func() {
		close(d.free)
		d.server.Close()
	})
	return d
}

func (d *double) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	form := r.FormValue("dlr-url") // reads a form in the body too
	_, _ = io.Copy(io.Discard, r.Body)
	ref := ""
	if u, err := url.Parse(r.Header.Get("X-Kannel-DLR-URL") + form); err == nil {
		ref = u.Query().Get("d")
	}
	d.mu.Lock()
	next := carriertest.Accept
	if len(d.script) > 0 {
		next, d.script = d.script[0], d.script[1:]
	}
	d.refs = append(d.refs, ref)
	d.mu.Unlock()
	status, body := http.StatusAccepted, accepted
	switch next {
	case carriertest.Accept:
	case carriertest.Refuse:
		status, body = http.StatusBadRequest, "Number(s) has/have been denied by white- and/or black-lists."
	case carriertest.Misfit:
		status, body = http.StatusForbidden, "Authorization failed for sendsms"
	case carriertest.Throttle, carriertest.Broken:
		status, body = http.StatusServiceUnavailable, "Temporal failure, try again later."
	case carriertest.Silence:
		<-d.free
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func TestKannelIsACarrier(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"post", "form", "get"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			carriertest.Run(t, func(t testing.TB, d carriertest.Deps) carriertest.Rig {
				return rigOf(t, newDouble(t), method, d)
			})
		})
	}
}

func rigOf(t testing.TB, up *double, method string, d carriertest.Deps) carriertest.Rig {
	t.Helper()
	cfg := config(up.server.URL)
	cfg.Method = method
	c, stop := start(t, cfg, kannel.Deps{Receive: d.Receive, Log: d.Log, ReceiptURL: receiptURL})
	return carriertest.Rig{
		Carrier: c,
		Stop:    stop,
		Script: func(answers ...carriertest.Answer) {
			up.mu.Lock()
			defer up.mu.Unlock()
			up.script = answers
		},
		References: func() []string {
			up.mu.Lock()
			defer up.mu.Unlock()
			return append([]string(nil), up.refs...)
		},
		Receipt: func(t testing.TB, ref string, news carriertest.News) carriertest.Verdict {
			t.Helper()
			values := map[carriertest.News]url.Values{
				carriertest.Arrived:  {"st": {"1"}},
				carriertest.Failed:   {"st": {"2"}, "ans": {"id:1 stat:UNDELIV err:001 text:"}},
				carriertest.Underway: {"st": {"8"}},
			}[news]
			values.Set("d", ref)
			switch report(t, c.Receipts(), values) {
			case http.StatusOK:
				return carriertest.Taken
			case http.StatusServiceUnavailable:
				return carriertest.Again
			}
			return 0
		},
		Restart: func(t testing.TB, d carriertest.Deps) carriertest.Rig {
			t.Helper()
			stop()
			return rigOf(t, up, method, d)
		},
		Lacks: map[string]string{
			"Forge":   "Kannel signs nothing; the token in the URL is all there is",
			"Intrude": "the token is checked before the carrier is asked",
			"Rotate":  "Kannel signs nothing",
		},
	}
}
