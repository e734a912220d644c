package kannel

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/delivery"
)

// judge returns what an answer of sendsms means. Its texts are Kannel 1.4.5's.
func judge(a httpsubmit.Answer, now time.Time) delivery.Result {
	r := httpsubmit.Classify(a, now)
	said := string(a.Body)
	says := func(part string) bool { return strings.Contains(said, part) }
	switch a.Status {
	case http.StatusNotFound, http.StatusMethodNotAllowed:
		r.Class = delivery.Config // the URL is wrong
	case http.StatusBadRequest:
		// What a message has is Permanent, what the configuration has is the
		// operator's. A body that the charset cannot read is the message's.
		if !says("Charset or body") && slices.ContainsFunc([]string{"misformed", "Sender missing", "content-type", "UDH"}, says) {
			r.Class = delivery.Config
		}
	}
	if r.Class != delivery.Accepted {
		r.Failure = failure(strconv.Itoa(a.Status), "The gateway refused the message")
		return r
	}
	// "0: Accepted for delivery", or "3: Queued for later delivery" while the
	// link to the message centre is down.
	if !strings.HasPrefix(said, "0:") && !strings.HasPrefix(said, "3:") {
		return delivery.Result{Class: delivery.Config, Failure: failure("answer", "The answer is not that of a sendsms")}
	}
	return delivery.Result{Class: delivery.Accepted}
}
