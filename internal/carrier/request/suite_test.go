package request_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/request"
)

// gateway is one of somebody's, for the suite.
type gateway struct {
	server *httptest.Server
	kind   kind
	free   chan struct{} // closed at the end: silence is over

	mu     sync.Mutex // guards what follows
	script []carriertest.Answer
	ids    []string          // of every request, in order
	taken  map[string]string // the reference that an id got
}

// kind is how a gateway is spoken to.
type kind struct {
	config func(*request.Config)
	id     func(r *http.Request, body []byte) string
	// answer is what is said to a message: its reference, or "" with why not.
	answer func(ref, why string) (status int, body string)
	// report brings a receipt.
	report func(t testing.TB, h http.Handler, ref, status string) int
}

func kinds() map[string]kind {
	return map[string]kind{
		"json": {
			config: func(c *request.Config) {
				c.Body = `{"messages":[{"to":{to_digits},"from":"{sender}","body":"{text}","client_ref":"{id}"}],"dlr":"{receipt_url}"}`
				c.RefPointer, c.ReceiptRef, c.ReceiptStatus, c.ReceiptReason = "/messages/0/id", "/message/id", "/message/state", "/message/error"
			},
			id: func(_ *http.Request, body []byte) string {
				var m struct {
					Messages []struct {
						Ref string `json:"client_ref"`
					} `json:"messages"`
				}
				if json.Unmarshal(body, &m) != nil || len(m.Messages) != 1 {
					return ""
				}
				return m.Messages[0].Ref
			},
			answer: func(ref, why string) (int, string) {
				if why != "" {
					return map[string]int{"number": 422, "key": 401, "busy": 429, "down": 500}[why], fmt.Sprintf(`{"error":%q}`, why)
				}
				return 201, fmt.Sprintf(`{"messages":[{"id":%q}]}`, ref)
			},
			report: func(t testing.TB, h http.Handler, ref, status string) int {
				t.Helper()
				return report(t, h, "POST", "", fmt.Sprintf(`{"message":{"id":%q,"state":%q,"error":7}}`, ref, status))
			},
		},
		"form, errors with 200": {
			config: func(c *request.Config) {
				c.ContentType, c.Body, c.Deduplicates = "form", "to={to}&text={text}&ref={id}&dlr={receipt_url}", true
				c.SuccessPointer, c.SuccessValues = "/code", []string{"0"}
				c.RetryValues, c.ConfigValues = []string{"busy", "down"}, []string{"key"}
				c.ReceiptID, c.ReceiptStatus, c.ReceiptReason = "ref", "state", "error"
			},
			id: func(_ *http.Request, body []byte) string {
				form, err := url.ParseQuery(string(body))
				if err != nil {
					return ""
				}
				return form.Get("ref")
			},
			answer: func(_, why string) (int, string) {
				if why != "" {
					return 200, fmt.Sprintf(`{"code":%q}`, why)
				}
				return 200, `{"code":0}`
			},
			report: func(t testing.TB, h http.Handler, ref, status string) int {
				t.Helper()
				return report(t, h, "POST", "", url.Values{"ref": {ref}, "state": {status}, "error": {"7"}}.Encode())
			},
		},
		"get, words": {
			config: func(c *request.Config) {
				c.Method, c.Body, c.CodeInURL = "GET", "", true
				c.URL += "?to={to_digits}&text={text}&ref={id}"
				c.Answer, c.SuccessPointer, c.SuccessValues, c.ErrorPointer = "text", "/0", []string{"OK"}, "/1"
				c.RetryValues, c.ConfigValues = []string{"busy", "down"}, []string{"key"}
				c.ReceiptID, c.ReceiptStatus, c.ReceiptReason = "ref", "state", "error"
			},
			id: func(r *http.Request, _ []byte) string { return r.URL.Query().Get("ref") },
			answer: func(ref, why string) (int, string) {
				if why != "" {
					return 200, "ERR: " + why
				}
				return 200, "OK: " + ref
			},
			report: func(t testing.TB, h http.Handler, ref, status string) int {
				t.Helper()
				return report(t, h, "GET", url.Values{"ref": {ref}, "state": {status}, "error": {"7"}}.Encode(), "")
			},
		},
	}
}

func newGateway(t testing.TB, k kind) *gateway {
	t.Helper()
	g := &gateway{kind: k, free: make(chan struct{}), taken: map[string]string{}}
	g.server = httptest.NewServer(g)
	t.Cleanup(func() {
		close(g.free)
		g.server.Close()
	})
	return g
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	id := g.kind.id(r, body)
	if err != nil || id == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	next := carriertest.Accept
	if len(g.script) > 0 {
		next, g.script = g.script[0], g.script[1:]
	}
	g.ids = append(g.ids, id)
	ref := g.taken[id]
	if ref == "" && next == carriertest.Accept {
		ref = fmt.Sprint("ref-", len(g.taken))
		g.taken[id] = ref
	}
	g.mu.Unlock()
	if next == carriertest.Silence {
		<-g.free
		return
	}
	why := map[carriertest.Answer]string{
		carriertest.Refuse: "number", carriertest.Misfit: "key", carriertest.Throttle: "busy", carriertest.Broken: "down",
	}[next]
	if why == "busy" {
		w.Header().Set("Retry-After", "1")
	}
	status, text := g.kind.answer(ref, why)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

func TestADescribedGatewayIsACarrier(t *testing.T) {
	t.Parallel()
	for name, k := range kinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			carriertest.Run(t, func(t testing.TB, d carriertest.Deps) carriertest.Rig {
				return rigOf(t, newGateway(t, k), d)
			})
		})
	}
}

func rigOf(t testing.TB, g *gateway, d carriertest.Deps) carriertest.Rig {
	t.Helper()
	cfg := config(g.server.URL)
	g.kind.config(&cfg)
	cfg.Dispatched, cfg.Delivered, cfg.Undeliverable = []string{"sent"}, []string{"delivered"}, []string{"failed"}
	c, err := request.New(cfg, request.Deps{Receive: d.Receive, Log: d.Log, Now: time.Now, ReceiptURL: receiptURL})
	if err != nil {
		t.Fatal(err)
	}
	stop := carriertest.Start(t, c)
	return carriertest.Rig{
		Carrier: c,
		Stop:    stop,
		Script: func(answers ...carriertest.Answer) {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.script = answers
		},
		References: func() []string {
			g.mu.Lock()
			defer g.mu.Unlock()
			return append([]string(nil), g.ids...)
		},
		Receipt: func(t testing.TB, ref string, news carriertest.News) carriertest.Verdict {
			t.Helper()
			status := map[carriertest.News]string{carriertest.Arrived: "delivered", carriertest.Failed: "failed", carriertest.Underway: "sent"}[news]
			switch g.kind.report(t, c.Receipts(), ref, status) {
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
			return rigOf(t, g, d)
		},
		Lacks: map[string]string{
			"Forge":   "gateways sign as they like or not at all; the token in the URL is all there is",
			"Intrude": "the token is checked before the carrier is asked",
			"Rotate":  "nothing is signed",
		},
	}
}
