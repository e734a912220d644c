// Package fitness makes an SMS fit for networks and phones before a carrier gets
// it: a sender that networks take, no more parts than the operator pays for, and
// the lines by which phones fill in a code themselves. It leaves every other
// channel alone.
package fitness

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// Values of Rules.UnfitSender.
const (
	Replace = "replace"
	Refuse  = "refuse"
)

// Rules are what the operator wants of the SMS that go to a carrier. The keys in
// brackets are the names that errors of Validate use. The zero value replaces
// unfit senders and does nothing else.
type Rules struct {
	// UnfitSender is what becomes of a message whose sender no network takes:
	// Replace, which is also "", sends it as one without a sender, Refuse does not
	// send it [unfit_sender].
	UnfitSender string
	// MaxSegments is how many parts a message may have; 0: no limit
	// [max_segments].
	MaxSegments int
	// WebOTPDomain is the site that a code is for: a last line "@domain #code"
	// is added [webotp_domain].
	WebOTPDomain string
	// AndroidHash is the app that a code is for: a line with these 11 characters
	// is added [android_hash].
	AndroidHash string
	// AndroidPrefix begins a message that has AndroidHash with "<#> ", as older
	// phones want it [android_prefix].
	AndroidPrefix bool
}

// maxRetriever is how many bytes a message for Android's SMS Retriever may have.
const maxRetriever = 140

// Fit returns the message as the carrier is to get it, or why it is not sent.
// segments tells how many parts that carrier makes of a text. A line that would
// take the text beyond MaxSegments, or beyond what Android reads, is left out: the
// person can still type the code.
func (r Rules) Fit(m delivery.Message, segments func(text string) int) (delivery.Message, *delivery.Result) {
	if m.Step.Channel != message.SMS {
		return m, nil
	}
	if !Sender(m.Step.Sender) {
		if r.UnfitSender == Refuse {
			return m, refuse("sender", "The sender has a form that no network takes")
		}
		m.Step.Sender = ""
	}
	plain := m.Step.Text
	for _, text := range r.variants(plain, m.Code.Reveal()) {
		m.Step.Text = text.Template
		whole := m.Text()
		if r.MaxSegments > 0 && segments(whole) > r.MaxSegments {
			continue
		}
		if text.forAndroid && len(whole) > maxRetriever {
			continue
		}
		return m, nil
	}
	return m, refuse("segments", fmt.Sprintf("The text takes more than %d parts, which are allowed", r.MaxSegments))
}

// variant is a text with or without the lines for phones.
type variant struct {
	message.Template
	forAndroid bool
}

// variants returns the texts to try, the best first and the plain one last.
func (r Rules) variants(plain message.Template, code string) []variant {
	out := []variant{{Template: plain}}
	rendered := plain.Render(code, message.Plain)
	if code == "" || !strings.Contains(rendered, code) {
		return out // whoever wrote it sends the code another way
	}
	if endsWithOrigin(rendered, code) {
		return out // it has such a line, which must stay the last
	}
	var origin, hash message.Template
	web := r.WebOTPDomain != "" && fillable(code)
	if web {
		origin = message.Parse("\n@"+r.WebOTPDomain+" #{code}", []message.Placeholder{{Token: "{code}", Code: true}})
		out = append([]variant{{Template: plain.Append(origin)}}, out...)
	}
	if r.AndroidHash == "" || strings.HasSuffix(rendered, r.AndroidHash) {
		return out
	}
	hash = message.Parse("\n"+r.AndroidHash, nil)
	var prefix message.Template
	if r.AndroidPrefix && !strings.HasPrefix(rendered, "<#>") {
		prefix = message.Parse("<#> ", nil)
	}
	alone := variant{Template: prefix.Append(plain, hash), forAndroid: true}
	if !web {
		return append([]variant{alone}, out...)
	}
	both := variant{Template: prefix.Append(plain, hash, origin), forAndroid: true}
	return []variant{both, out[0], alone, out[1]}
}

// blanks are the white space that a line can hold (Infra Standard §4.5, ASCII
// whitespace without line ends).
const blanks = " \t\f"

// endsWithOrigin reports whether the last line of text is "@host #code", which
// browsers read whatever follows after a blank: the host of a frame, or words
// (WICG sms-one-time-codes, "parse an origin-bound one-time code message").
func endsWithOrigin(text, code string) bool {
	last := text[strings.LastIndexAny(text, "\r\n")+1:]
	line, marked := strings.CutPrefix(last, "@")
	host, rest, found := strings.Cut(line, " #"+code)
	return marked && found && host != "" && !strings.ContainsAny(host, blanks) &&
		(rest == "" || strings.ContainsAny(rest[:1], blanks))
}

// fillable reports whether browsers read a code whole from an origin line. They
// end it at white space, and Chromium at "#" too: what they filled in of such a
// code would be a wrong one.
func fillable(code string) bool {
	return !strings.ContainsFunc(code, func(r rune) bool { return r == '#' || unicode.IsSpace(r) })
}

func refuse(code, text string) *delivery.Result {
	return &delivery.Result{Class: delivery.Permanent, Own: true, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: text}}
}
