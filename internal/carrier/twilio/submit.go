package twilio

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// apiVersion is the first part of every path.
const apiVersion = "2010-04-01"

var errRequest = errors.New("the request cannot be made")

// failure is what a delivery reports of this carrier.
func failure(code, text string) otp.Failure {
	return otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: text}
}

// refuse is the result of a message that no carrier could take.
func refuse(code, text string) *delivery.Result {
	return &delivery.Result{Class: delivery.Permanent, Own: true, Failure: failure(code, text)}
}

// Submit hands one message over with one request. Receipts name it by Twilio's id,
// and if that was lost with the answer by the reference in their URL.
func (c *Carrier) Submit(ctx context.Context, m delivery.Message) delivery.Result {
	if c.receipts == nil {
		return c.submit(ctx, m)
	}
	name := referenceOf(m).name()
	defer c.deps.Flights.Begin(name)()
	r := c.submit(ctx, m).KnownAs(name)
	r.MayBeBusy = r.MayBeBusy || r.Class == delivery.Uncertain && m.Step.Channel == message.Voice
	return r
}

func (c *Carrier) submit(ctx context.Context, m delivery.Message) delivery.Result {
	now := c.deps.Now()
	resource, form, refused := c.compose(m, now)
	if refused != nil {
		return *refused
	}
	req, err := c.request(ctx, http.MethodPost, resource, form.Encode())
	if err != nil {
		return *refuse("request", "The message makes no request")
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, none := c.client.Do(req)
	if none != nil {
		return *none
	}
	r := c.read(answer, now)
	r.Own = r.Class == delivery.Config && c.ownCause(r.Failure.Code, m, form)
	r.MayBeBusy = r.Class == delivery.Accepted && m.Step.Channel == message.Voice
	return r
}

// request makes a request for a resource of the account, such as
// "/Messages.json", with a query if it has one.
func (c *Carrier) request(ctx context.Context, method, resource, body string) (*http.Request, error) {
	target := c.cfg.base.String() + "/" + apiVersion + "/Accounts/" + c.cfg.AccountSID + resource
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, errRequest // not err, whose text holds the URL
	}
	user, password := c.cfg.AccountSID, c.cfg.AuthToken
	if c.cfg.APIKey != "" {
		user, password = c.cfg.APIKey, c.cfg.APISecret
	}
	req.SetBasicAuth(user, password.Reveal())
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "countersign")
	return req, nil
}

// compose returns what a message is to be posted to and the form, or why there
// is none.
func (c *Carrier) compose(m delivery.Message, now time.Time) (resource string, form url.Values, refused *delivery.Result) {
	number, ok := m.Recipient.Number()
	switch {
	case !c.serves(m.Step.Channel):
		return "", nil, refuse("channel", "The carrier is not set up for the channel")
	case !ok:
		return "", nil, refuse("recipient", "The recipient is no phone number")
	case !m.Ends().After(now):
		return "", nil, refuse("expired", "The code's life is over")
	}
	switch m.Step.Channel {
	case message.Voice:
		form, refused = c.call(m, number, now)
		return "/Calls.json", form, refused
	case message.WhatsApp:
		form, refused = c.whatsApp(m, number)
	default:
		form, refused = c.sms(m, number)
	}
	if refused == nil {
		c.cfg.common(form, m.Ends().Sub(now))
		c.callback(form, m)
	}
	return "/Messages.json", form, refused
}

// callback asks for status callbacks, if we can be reached.
func (c *Carrier) callback(form url.Values, m delivery.Message) {
	if c.receipts != nil {
		form.Set("StatusCallback", c.own(referenceOf(m).query()))
	}
}

// own returns the receipt URL with a query. The overrides are a fragment, which
// does not reach us.
func (c *Carrier) own(query url.Values) string {
	u := *c.receipts
	u.RawQuery = query.Encode()
	return u.String() + c.cfg.fragment()
}

// fragment returns the connection overrides as a part of a URL.
func (s *settled) fragment() string {
	if s.CallbackOverrides == none {
		return ""
	}
	return "#" + s.CallbackOverrides
}

// allowed returns the sender that a message asks for if it may have it, else
// own. form makes Twilio's form of a sender, "" of what is none.
func (s *settled) allowed(wanted, own string, form func(string) string) string {
	if wanted = form(wanted); wanted == "" {
		return form(own)
	}
	for _, sender := range s.Senders {
		if sender == anySender || form(sender) == wanted {
			return wanted
		}
	}
	return form(own)
}
