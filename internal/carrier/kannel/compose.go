package kannel

import (
	"crypto/sha256"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// Values of parameters (Kannel 1.4.5 User's Guide, "SMS Push").
const (
	codingGSM  = "0"
	codingUCS2 = "2"
	flashClass = "0"

	// What to report: all of the last part, of the others only that they failed.
	maskAll    = 31
	maskFailed = dlrFailed | dlrRefused

	maxParts = 255
)

// part is one sendsms request; the zero part is a message to nobody.
type part struct {
	to, from, text, coding string
	udh                    []byte
	validity               string // minutes
	mask                   int
	report                 string // URL
}

// compose returns the requests for a message, or why there is none.
func (c *Carrier) compose(m delivery.Message) ([]part, *delivery.Result) {
	number, ok := m.Recipient.Number()
	text := m.Text()
	from := m.Step.Sender
	if from == "" {
		from = c.cfg.Sender
	}
	left := m.Ends().Sub(c.deps.Now())
	var r delivery.Result
	switch {
	case m.Step.Channel != message.SMS:
		r = refuse(delivery.Config, "channel", "Kannel carries no messages but SMS")
		return nil, &r
	case !ok:
		r = refuse(delivery.Permanent, "recipient", "The recipient is no phone number")
		return nil, &r
	case left <= 0:
		r = refuse(delivery.Permanent, "expired", "The code's life is over")
		return nil, &r
	case text == "": // Kannel would take it
		r = refuse(delivery.Permanent, "text", "The message is empty")
		return nil, &r
	case !setting.Printable(from) || len(from) > maxText:
		r = refuse(delivery.Config, "sender", "The sender has a form that Kannel cannot carry")
		return nil, &r
	}
	texts := []string{text}
	if c.cfg.Long == udh {
		texts = message.Parts(text)
	}
	if len(texts) > maxParts {
		r = refuse(delivery.Permanent, "length", "The text has more parts than a message can have")
		return nil, &r
	}
	to := number.Reveal()
	if c.cfg.StripPlus {
		to = to[1:]
	}
	coding := codingGSM
	if message.Segments(text).Encoding == message.UCS2 {
		coding = codingUCS2
	}
	minutes := int((left + time.Minute - 1) / time.Minute)
	parts := make([]part, len(texts))
	for i, t := range texts {
		parts[i] = part{to: to, from: from, text: t, coding: coding, validity: strconv.Itoa(minutes)}
		last := i == len(texts)-1
		if c.deps.ReceiptURL != "" {
			parts[i].mask, parts[i].report = maskAll, c.reportTo(m.Dedupe)
			if !last {
				parts[i].mask = maskFailed
			}
		}
		if len(texts) > 1 {
			parts[i].udh = header(m.Dedupe, len(texts), i+1)
		}
	}
	return parts, nil
}

// header is that of part n of total, with an 8-bit reference (3GPP TS 23.040
// §9.2.3.24.1).
func header(dedupe string, total, n int) []byte {
	sum := sha256.Sum256([]byte(dedupe))
	return []byte{5, 0, 3, sum[0], byte(total), byte(n)} //nolint:gosec // at most maxParts
}

// reportTo is the URL that Kannel fills in and gets.
func (c *Carrier) reportTo(dedupe string) string {
	base := strings.ReplaceAll(c.deps.ReceiptURL, "%", "%%") // what it fills in begins with one
	join := "?"
	if strings.Contains(base, "?") {
		join = "&"
	}
	return base + join + "d=" + strings.ReplaceAll(url.QueryEscape(dedupe), "%", "%%") + "&st=%d&ans=%A&ref=%F&ts=%T"
}
