package request

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
)

// judge returns what an answer means. A value that the configuration lists
// decides; else the status, and with one of success what must be in the answer.
func (c *Carrier) judge(a httpsubmit.Answer, m delivery.Message) delivery.Result {
	doc := c.cfg.read(a.Body)
	said, told := c.cfg.errsAt.in(doc)
	class := c.cfg.classes[strings.ToLower(said)]
	if told && class != 0 && class != delivery.Accepted {
		return c.refused(a, class, said, m)
	}
	if !slices.Contains(c.cfg.SuccessStatus, a.Status) {
		class = httpsubmit.Classify(a, c.deps.Now()).Class
		if class == delivery.Accepted { // it may not be, as the operator did not say so
			class = delivery.Config
		}
		return c.refused(a, class, said, m)
	}
	if c.cfg.successAt != nil {
		word, ok := c.cfg.successAt.in(doc)
		switch {
		case !ok && !told: // no answer of this gateway
			return c.refused(a, delivery.Config, "answer", m)
		case !ok || !contains(c.cfg.SuccessValues, word):
			return c.refused(a, delivery.Permanent, cmp.Or(said, word), m)
		}
	}
	r := delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe, NoReceipt: c.cfg.receipts == nil || c.deps.ReceiptURL == ""}
	if c.cfg.refAt != nil {
		ref, _ := c.cfg.refAt.in(doc)
		if !isRef(ref) {
			return delivery.Result{Class: delivery.Uncertain, Failure: failure("answer", "The gateway's answer has no id of the message")}
		}
		r.Ref = ref
	}
	return r
}

// refused is the result of a message that was not taken. said is the gateway's
// error, "" for none.
func (c *Carrier) refused(a httpsubmit.Answer, class delivery.Class, said string, m delivery.Message) delivery.Result {
	r := delivery.Result{Class: class, Failure: failure(cmp.Or(httpsubmit.TokenOf(m, said), strconv.Itoa(a.Status)), "The gateway refused the message")}
	if class == delivery.Retry {
		r.After = httpsubmit.RetryAfter(a.Header, c.deps.Now())
	}
	return r
}

// contains reports whether one of the values is the word, in any letter case.
func contains(values []string, word string) bool {
	return slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, word) })
}
