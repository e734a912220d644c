package httpsubmit

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/netfault"
	"github.com/countersign/countersign/internal/otp"
)

// What proxies in front of an upstream say once they have passed a request on.
const (
	statusUnknownError    = 520 // Cloudflare: the upstream's answer was empty or made no sense
	statusTimeoutOccurred = 524 // Cloudflare: the upstream did not answer in time
)

// Classify returns what a status means where a carrier's own rules say
// nothing: 2xx is Accepted, its Ref left to the caller. now is for a
// Retry-After that is a date.
func Classify(a Answer, now time.Time) delivery.Result {
	r := delivery.Result{Class: classOf(a.Status)}
	if r.Class == delivery.Accepted {
		return r
	}
	r.Failure = otp.Failure{
		Area: delivery.AreaCarrier, Code: strconv.Itoa(a.Status), Text: fmt.Sprintf("The carrier answered with HTTP status %d", a.Status),
	}
	if r.Class == delivery.Retry {
		r.After = RetryAfter(a.Header, now)
	}
	return r
}

func classOf(status int) delivery.Class {
	switch status {
	case http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusProxyAuthRequired,
		http.StatusNotImplemented, http.StatusHTTPVersionNotSupported:
		return delivery.Config
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return delivery.Retry
	case http.StatusBadGateway, http.StatusGatewayTimeout, statusUnknownError, statusTimeoutOccurred:
		return delivery.Uncertain // a proxy read the whole request and may have passed it on
	}
	switch status / 100 {
	case 2:
		return delivery.Accepted
	case 4:
		return delivery.Permanent
	case 5:
		return delivery.Retry
	}
	return delivery.Config // a redirect, above all: it is never followed
}

// RetryAfter returns how long an answer asks to wait, in either form of
// RFC 9110 §10.2.3: at least 1 s and at most a day, which outlives any code; 0 if
// it does not say.
func RetryAfter(h http.Header, now time.Time) time.Duration {
	wait, said := netfault.RetryAfter(h, now)
	if !said {
		return 0
	}
	return max(wait, time.Second)
}
