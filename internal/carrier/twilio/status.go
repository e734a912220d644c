package twilio

import (
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/delivery"
)

// messageReceipt returns what the status of a message says; false for one that
// is not final. code is Twilio's error code, 0 for none.
func messageReceipt(status string, code int) (delivery.Receipt, bool) {
	switch status {
	case "delivered", "read":
		return delivery.Receipt{State: delivery.ReceiptDelivered}, true
	case "undelivered", "failed", "canceled":
		r := delivery.Receipt{State: delivery.ReceiptUndeliverable}
		switch {
		case code == codeExpired:
			r.State, r.Failure = delivery.ReceiptTimedOut, failureOf(code)
		case code > 0:
			r.Failure = failureOf(code)
		default:
			r.Failure = failure(status, "Twilio gave no reason")
		}
		return r, true
	}
	return delivery.Receipt{}, false // accepted, scheduled, queued, sending, sent, partially_delivered
}

// callReceipt returns what the status of a call says; false for one that is not
// final.
func (s *settled) callReceipt(status string, form url.Values) (delivery.Receipt, bool) {
	undeliverable := func(code, text string) (delivery.Receipt, bool) {
		return delivery.Receipt{State: delivery.ReceiptUndeliverable, Failure: failure(code, text)}, true
	}
	switch status {
	case "completed":
		switch by := form.Get("AnsweredBy"); {
		case machine(by):
			return undeliverable("machine", "A machine answered the call")
		case time.Duration(number(form.Get("CallDuration")))*time.Second < s.LeastListening:
			return undeliverable("short", "The call ended before the code was heard")
		}
		return delivery.Receipt{State: delivery.ReceiptDelivered}, true
	case "no-answer":
		return delivery.Receipt{State: delivery.ReceiptTimedOut, Failure: failure(status, "Nobody answered the call")}, true
	case "busy":
		return delivery.Receipt{State: delivery.ReceiptUndeliverable, Failure: delivery.LineBusy, Busy: true}, true
	case "canceled":
		return undeliverable(status, "The call was cancelled")
	case "failed":
		for _, key := range []string{"ErrorCode", "SipResponseCode"} {
			if code := number(form.Get(key)); code > 0 {
				return undeliverable(strconv.Itoa(code), "The call could not be made")
			}
		}
		return undeliverable(status, "The call could not be made")
	}
	return delivery.Receipt{}, false // queued, initiated, ringing, in-progress
}

// number reads a whole number of at most six digits; 0 for anything else.
func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 999_999 {
		return 0
	}
	return n
}

// warnEvery is how often one code is worth a line in the log.
const warnEvery = time.Minute

// warn tells the operator of a failure that only the operator can mend and that
// Twilio found out after it took the message.
func (c *Carrier) warn(r *http.Request, receipt delivery.Receipt) {
	code := number(receipt.Failure.Code)
	if class, _ := c.cfg.classOf(code); class != delivery.Config {
		return
	}
	now := c.deps.Now()
	c.mu.Lock()
	last, before := c.warned[receipt.Failure.Code]
	again := !before || now.Sub(last) >= warnEvery
	if again {
		c.warned[receipt.Failure.Code] = now
	}
	c.mu.Unlock()
	if again {
		c.logger().WarnContext(r.Context(), "a carrier needs the operator",
			slog.String("code", receipt.Failure.Code), slog.String("text", receipt.Failure.Text))
	}
}
