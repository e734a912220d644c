package twilio

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
)

// maxRef bounds message ids; SIDs have 34 characters.
const maxRef = 64

// read returns what an answer says.
func (c *Carrier) read(a httpsubmit.Answer, now time.Time) delivery.Result {
	if a.Status/100 != http.StatusOK/100 {
		return c.refused(a, now)
	}
	var taken struct {
		SID       string `json:"sid"`
		Status    string `json:"status"`
		ErrorCode *int   `json:"error_code"`
	}
	if err := json.Unmarshal(a.Body, &taken); err != nil || !isRef(taken.SID) {
		return delivery.Result{Class: delivery.Uncertain, Failure: failure("answer", "Twilio answered what cannot be read")}
	}
	r := delivery.Result{Class: delivery.Accepted, Ref: taken.SID, NoReceipt: c.receipts == nil}
	code := 0
	if taken.ErrorCode != nil {
		code = *taken.ErrorCode
	}
	// A message's words for an end only; a call has not ended yet.
	if receipt, ended := messageReceipt(taken.Status, code); ended {
		r.Receipt = &receipt
	}
	return r
}

// refused returns what an answer other than 2xx says: by Twilio's code where it
// is known, else by the status.
func (c *Carrier) refused(a httpsubmit.Answer, now time.Time) delivery.Result {
	r := httpsubmit.Classify(a, now)
	var why struct {
		Code int `json:"code"`
	}
	if err := json.Unmarshal(a.Body, &why); err != nil || why.Code <= 0 {
		return r
	}
	r.Failure = failureOf(why.Code)
	class, known := c.cfg.classOf(why.Code)
	if !known {
		return r
	}
	if r.Class, r.After = class, 0; class == delivery.Retry {
		r.After = httpsubmit.RetryAfter(a.Header, now)
	}
	return r
}

// isRef reports whether text can be a message's or call's id.
func isRef(text string) bool { return text != "" && len(text) <= maxRef && setting.Printable(text) }
