package kannel

import (
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

// What a report tells (Kannel 1.4.5 User's Guide, "Delivery Reports"); later
// versions add the last two.
const (
	dlrDelivered = 1
	dlrFailed    = 2
	dlrBuffered  = 4
	dlrTaken     = 8 // by the message centre
	dlrRefused   = 16
	dlrExpired   = 34
	dlrUnknown   = 66
)

// maxDedupe is how long a reference in a report may be.
const maxDedupe = 64

// Receipts takes Kannel's reports, which are GETs with what they tell in the
// query. It answers 200 once a report is durable, tells nothing final or is of a
// message that nobody knows; 400 for what is no report; 503 if it could not be
// recorded. Whoever serves it checks the token in the URL first: nothing else
// shows that a report is genuine.
func (c *Carrier) Receipts() http.Handler { return http.HandlerFunc(c.serveReceipt) }

func (c *Carrier) serveReceipt(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	query := r.URL.Query()
	news := delivery.Receipt{Carrier: c.cfg.Name, Ref: query.Get("d")}
	status, err := strconv.Atoi(query.Get("st"))
	if err != nil || news.Ref == "" || len(news.Ref) > maxDedupe {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	why := query.Get("ans")
	switch status {
	case dlrDelivered:
		news.State = delivery.ReceiptDelivered
	case dlrExpired:
		news.State = delivery.ReceiptTimedOut
	case dlrFailed, dlrRefused:
		news.State, news.Failure = delivery.ReceiptUndeliverable, reason(why)
		if strings.EqualFold(field(why, "stat"), "EXPIRED") {
			news.State, news.Failure = delivery.ReceiptTimedOut, otp.Failure{}
		}
	case dlrBuffered, dlrTaken, dlrUnknown:
		return // nothing final: the wait decides
	default:
		w.WriteHeader(http.StatusBadRequest)
		return
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

// reason is why a message failed: the command_status of
// "NACK/0x0000000b/Invalid Destination Address", else the error or state of a
// message centre's receipt.
func reason(ans string) otp.Failure {
	const text = "The message centre did not deliver the message"
	if nack, ok := strings.CutPrefix(ans, "NACK/"); ok {
		code, _, _ := strings.Cut(nack, "/")
		if v, err := strconv.ParseUint(code, 0, 32); err == nil {
			return failure(fmt.Sprintf("0x%02x", v), "The message centre refused the message")
		}
	}
	for _, key := range []string{"err", "stat"} {
		if code := httpsubmit.Token(field(ans, key)); strings.Trim(code, "0") != "" {
			return failure(code, text)
		}
	}
	return failure("failed", text)
}

// field returns the value of "key:value" in a receipt's text.
func field(ans, key string) string {
	for word := range strings.FieldsSeq(ans) {
		if name, value, ok := strings.Cut(word, ":"); ok && strings.EqualFold(name, key) {
			return value
		}
	}
	return ""
}
