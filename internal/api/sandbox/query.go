package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	inbox "github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/phone"
)

const (
	defaultLimit = 50
	maxLimit     = 200
	maxOTPID     = 128 // characters; no OTP has a longer id
)

// decodeQuery reads the parameters to, otpId and limit; others are ignored. An
// empty one is as good as none, one given twice is refused (T-03). The error is
// a refusal and does not quote the input.
func decodeQuery(raw string) (inbox.Query, error) {
	bad := func(detail string) (inbox.Query, error) {
		return inbox.Query{}, refusal{http.StatusBadRequest, detail}
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return bad("The query is malformed")
	}
	for _, name := range []string{"to", "otpId", "limit"} {
		if len(values[name]) > 1 {
			return bad("The parameter " + name + " may be given once")
		}
	}
	q := inbox.Query{Limit: defaultLimit}
	if to := values.Get("to"); to != "" {
		recipient, ok := recipientOf(to)
		if !ok {
			return bad("The parameter to is neither a phone number nor an e-mail address")
		}
		q.To = recipient
	}
	if q.OTPID = values.Get("otpId"); len(q.OTPID) > maxOTPID {
		return bad("The parameter otpId is too long")
	}
	if limit := values.Get("limit"); limit != "" {
		n, err := strconv.Atoi(limit)
		if err != nil || n < 1 || n > maxLimit {
			return bad("The parameter limit must be a number from 1 to " + strconv.Itoa(maxLimit))
		}
		q.Limit = n
	}
	return q, nil
}

// recipientOf reads a number in any of its spellings, or an address. A plus
// sign that was not percent-encoded arrives as a blank, which numbers may have
// anyway, and which an address takes back for its plus.
func recipientOf(to string) (phone.Recipient, bool) {
	if strings.Contains(to, "@") {
		address, err := phone.ParseAddress(strings.ReplaceAll(to, " ", "+"))
		return address.Recipient(), err == nil
	}
	number, err := phone.Syntax(to)
	return number.Recipient(), err == nil
}
