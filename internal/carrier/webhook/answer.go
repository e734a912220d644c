package webhook

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
)

// maxRef is how long a receiver's reference may be.
const maxRef = 255

// States of deliveries, as answers and receipts write them.
const (
	dispatched    = "DISPATCHED"
	delivered     = "DELIVERED"
	undeliverable = "UNDELIVERABLE"
	timedOut      = "TIMED_OUT"
)

// word is text, or a whole number taken as it is written. Anything else says
// nothing, and costs what is said beside it nothing.
type word string

func (w *word) UnmarshalJSON(b []byte) error {
	var text string
	if json.Unmarshal(b, &text) != nil {
		if text = string(b); strings.Trim(text, "0123456789") != "" {
			text = ""
		}
	}
	*w = word(text)
	return nil
}

// reference is a word that is not too long for one.
type reference string

func (r *reference) UnmarshalJSON(b []byte) error {
	var w word
	if err := w.UnmarshalJSON(b); err != nil {
		return err
	}
	if len(w) <= maxRef {
		*r = reference(w)
	}
	return nil
}

// answer is what a receiver may say; every field may be missing.
type answer struct {
	Ref    reference `json:"ref"`
	Status word      `json:"status"`
	Class  word      `json:"class"`
	Reason word      `json:"reason"`
}

// judge returns what an answer means. A body that is no answer of ours says
// nothing: then the status decides.
func (c *Carrier) judge(a httpsubmit.Answer, m delivery.Message) delivery.Result {
	var said answer
	if json.Unmarshal(a.Body, &said) != nil {
		said = answer{}
	}
	now := c.deps.Now()
	r := httpsubmit.Classify(a, now)
	if a.Status == http.StatusConflict { // it has the id already
		r = delivery.Result{Class: delivery.Accepted}
	}
	var code string // of ours: what the receiver wrote may hold anything
	if class, ok := delivery.ParseClass(string(said.Class)); ok {
		r.Class, code = class, string(said.Class)
	} else if r.Class == delivery.Accepted && said.Status == undeliverable {
		r.Class, code = delivery.Permanent, undeliverable
	}
	if r.Class != delivery.Accepted {
		r.After = 0
		if r.Class == delivery.Retry {
			r.After = httpsubmit.RetryAfter(a.Header, now)
		}
		reason := httpsubmit.TokenOf(m, string(said.Reason))
		switch {
		case reason != "":
			r.Failure = failure(reason, "The receiver refused the message")
		case r.Failure.Code == "":
			r.Failure = failure(code, "The receiver refused the message")
		}
		return r
	}
	if r.Ref = string(said.Ref); r.Ref == "" {
		r.Ref = m.Dedupe
	}
	if said.Status == delivered {
		r.Receipt = &delivery.Receipt{State: delivery.ReceiptDelivered}
	}
	r.NoReceipt = c.deps.ReceiptURL == ""
	r.ByID = c.deps.ReceiptURL != ""
	return r
}
