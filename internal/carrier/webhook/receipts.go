package webhook

import (
	"cmp"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
)

// maxReceipt is how many bytes a receipt may have.
const maxReceipt = 256 << 10

// receipt is what a receiver reports.
type receipt struct {
	ID     reference `json:"id"`
	Ref    reference `json:"ref"`
	Status word      `json:"status"`
	Reason word      `json:"reason"`
}

// Receipts takes receipts: signed POSTs with a JSON object. It answers 200 once
// the receipt is durable, or tells of a message that nobody knows; 400 for one
// that cannot be read; 401 for one that is not signed with the secret; 503 if
// it could not be recorded, to be sent again. Whoever serves it checks the token
// in the URL first.
func (c *Carrier) Receipts() http.Handler { return http.HandlerFunc(c.serveReceipt) }

func (c *Carrier) serveReceipt(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReceipt))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if callback.Verify(c.cfg.secrets, r.Header, body, c.deps.Now()) != nil {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	var said receipt
	if json.Unmarshal(body, &said) != nil || said.ID == "" && said.Ref == "" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	news := delivery.Receipt{Carrier: c.cfg.Name, ID: string(said.ID), Ref: string(said.Ref)}
	switch said.Status {
	case dispatched: // nothing final
		return
	case delivered:
		news.State = delivery.ReceiptDelivered
	case timedOut:
		news.State = delivery.ReceiptTimedOut
		if reason := httpsubmit.Token(string(said.Reason)); reason != "" {
			news.Failure = failure(reason, "The receiver reported that the message was given up")
		}
	case undeliverable:
		news.State = delivery.ReceiptUndeliverable
		news.Failure = failure(cmp.Or(httpsubmit.Token(string(said.Reason)), strings.ToLower(undeliverable)), "The receiver reported that the message was not delivered")
	default:
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if !c.deps.Flights.Wait(r.Context(), news.ID) {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	if _, err := c.deps.Receive(r.Context(), news); err != nil {
		c.deps.Log.WarnContext(r.Context(), "receipt not recorded; it is asked for again",
			slog.String("carrier", c.cfg.Name), slog.Any("err", err))
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}
