package request

import (
	"bytes"
	"cmp"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
)

// maxReceipt is how many bytes a receipt may have.
const maxReceipt = 256 << 10

// receipts are how to read those of a gateway.
type receipts struct {
	ref, status, reason field
	states              map[string]delivery.ReceiptState // by lower-case status; 0: nothing final
}

// field finds a value in a receipt: by its name in a query, a form or a JSON
// object, or by a pointer into JSON.
type field struct {
	name string
	at   pointer // nil: by name
}

func (s *settled) checkReceipts() error {
	r := &receipts{states: map[string]delivery.ReceiptState{}}
	lists := []struct {
		key    string
		values []string
		state  delivery.ReceiptState
	}{
		{"receipt_dispatched", s.Dispatched, 0},
		{"receipt_delivered", s.Delivered, delivery.ReceiptDelivered},
		{"receipt_undeliverable", s.Undeliverable, delivery.ReceiptUndeliverable},
		{"receipt_timed_out", s.TimedOut, delivery.ReceiptTimedOut},
	}
	used := s.ReceiptID+s.ReceiptRef+s.ReceiptStatus+s.ReceiptReason != ""
	for _, list := range lists {
		for _, v := range list.values {
			used = true
			if _, twice := r.states[strings.ToLower(v)]; twice || v == "" {
				return wrong(list.key, "has %q, which is empty or has a meaning already", v)
			}
			r.states[strings.ToLower(v)] = list.state
		}
	}
	switch {
	case !used:
		return nil
	case s.ReceiptStatus == "":
		return wrong("receipt_status", "is missing: the field that says what became of a message")
	case s.ReceiptID == "" && s.ReceiptRef == "":
		return wrong("receipt_id", "is missing, or receipt_ref: the field that says which message it is")
	case s.ReceiptID != "" && s.ReceiptRef != "":
		return wrong("receipt_ref", "and receipt_id cannot both name the message")
	case s.Delivered == nil:
		return wrong("receipt_delivered", "is missing: the values of receipt_status that mean success")
	}
	for _, f := range []struct {
		key, text string
		to        *field
	}{
		{"receipt_id", s.ReceiptID, &r.ref},
		{"receipt_ref", s.ReceiptRef, &r.ref},
		{"receipt_status", s.ReceiptStatus, &r.status},
		{"receipt_reason", s.ReceiptReason, &r.reason},
	} {
		if f.text == "" {
			continue
		}
		f.to.name = f.text
		if strings.HasPrefix(f.text, "/") {
			p, err := parsePointer(f.text)
			if err != nil {
				return wrong(f.key, "%w", err)
			}
			f.to.at = p
		}
	}
	s.receipts = r
	return nil
}

// Receipts takes receipts, or is nil if the configuration says nothing of them:
// a GET with a query, or a POST with a form or a JSON object. It answers 200 once
// a receipt is durable, tells nothing final or is of a message that nobody knows;
// 400 for what cannot be read, such as a status that no list has; 503 if it could
// not be recorded. Whoever serves it checks the token in the URL first: nothing
// else shows that a receipt is genuine.
func (c *Carrier) Receipts() http.Handler {
	if c.cfg.receipts == nil {
		return nil
	}
	return http.HandlerFunc(c.serveReceipt)
}

func (c *Carrier) serveReceipt(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		w.Header().Set("Allow", "GET, POST")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReceipt))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	cfg, said := c.cfg.receipts, readReceipt(r, body)
	news := delivery.Receipt{Carrier: c.cfg.Name, Ref: said.value(cfg.ref)}
	status := said.value(cfg.status)
	state, listed := cfg.states[strings.ToLower(status)]
	switch {
	case !listed:
		c.deps.Log.WarnContext(r.Context(), "a receipt has a status that no list of the carrier has",
			slog.String("carrier", c.cfg.Name), slog.String("status", httpsubmit.LogToken(status)))
		w.WriteHeader(http.StatusBadRequest)
		return
	case !isRef(news.Ref):
		w.WriteHeader(http.StatusBadRequest)
		return
	case state == 0: // nothing final
		return
	}
	if news.State = state; state == delivery.ReceiptUndeliverable {
		code := cmp.Or(httpsubmit.Token(said.value(cfg.reason)), httpsubmit.Token(status), "undeliverable")
		news.Failure = failure(code, "The gateway reported that the message was not delivered")
	}
	if !c.deps.Flights.Wait(r.Context(), news.Ref) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if _, err := c.deps.Receive(r.Context(), news); err != nil {
		c.deps.Log.WarnContext(r.Context(), "receipt not recorded; it is asked for again",
			slog.String("carrier", c.cfg.Name), slog.Any("err", err))
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// receipt is what a gateway sent, in either form.
type receipt struct {
	doc    any // JSON; nil for none
	fields url.Values
}

// readReceipt reads a body by what it looks like, as gateways name its type
// wrongly, and the query. What cannot be read is left out.
func readReceipt(r *http.Request, body []byte) receipt {
	said := receipt{fields: url.Values{}}
	body = bytes.TrimSpace(body)
	if bytes.HasPrefix(body, []byte("{")) || bytes.HasPrefix(body, []byte("[")) {
		said.doc = readJSON(body)
	} else {
		said.fields, _ = url.ParseQuery(string(body)) // the pairs that can be read
	}
	if list, ok := said.doc.([]any); ok {
		if said.doc = nil; len(list) == 1 {
			said.doc = list[0]
		}
	}
	for name, values := range r.URL.Query() {
		said.fields[name] = append(said.fields[name], values...)
	}
	return said
}

// value returns a field's text, "" for none. The body goes before the query.
func (r receipt) value(f field) string {
	if f.name == "" {
		return ""
	}
	at := f.at
	if at == nil {
		at = pointer{f.name}
	}
	if _, ok := r.doc.(map[string]any); ok {
		if text, ok := at.in(r.doc); ok {
			return text
		}
	}
	return r.fields.Get(f.name)
}
