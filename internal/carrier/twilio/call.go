package twilio

import (
	"net/http"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/phone"
)

const (
	maxTwiML = 4000 // characters of TwiML within a request (Twilio's Call resource)
	// maxFetchURL is ours: the words of a minute, sealed, take about half of it.
	maxFetchURL = 4000
	// maxCall ends a call whatever it says (M-03).
	maxCall = 60 * time.Second
)

// call returns the form of a call.
func (c *Carrier) call(m delivery.Message, to phone.Number, now time.Time) (url.Values, *delivery.Result) {
	life := m.Ends().Sub(now)
	ring := min(c.cfg.RingTime, life)
	if m.Step.Wait > 0 {
		ring = min(ring, m.Step.Wait)
	}
	form := url.Values{
		"To":        {to.Reveal()},
		"From":      {c.cfg.allowed(m.Step.Sender, c.cfg.Caller, numberOf)},
		"Timeout":   {seconds(max(ring, leastRingTime))},
		"TimeLimit": {seconds(maxCall)},
	}
	words := c.cfg.speech(m)
	if words.Text == "" {
		return nil, refuse("length", "There is nothing to say")
	}
	if c.receipts != nil {
		c.callback(form, m)
		form.Set("StatusCallbackMethod", http.MethodPost)
	}
	if c.cfg.MachineDetection {
		form.Set("MachineDetection", "Enable")
	}
	if c.cfg.InlineVoice {
		twiml := words.twiml()
		form.Set("Twiml", twiml)
		if utf8.RuneCountInString(twiml) > maxTwiML {
			return nil, refuse("length", "The words are more than Twilio takes")
		}
		return form, nil
	}
	sealed, err := c.sealer.seal(document{Speech: words, Expires: m.Ends().Unix()}, c.deps.Random)
	if err != nil {
		return nil, &delivery.Result{Class: delivery.Retry, Failure: failure("seal", "The words cannot be sealed")}
	}
	fetch := c.own(url.Values{querySay: {sealed}})
	if len(fetch) > maxFetchURL {
		return nil, refuse("length", "The words are more than Twilio takes")
	}
	form.Set("Url", fetch)
	form.Set("Method", http.MethodPost)
	return form, nil
}
