package meta

import (
	"cmp"
	"net/url"
	"strings"

	"github.com/countersign/countersign/internal/catalog"
)

const (
	authentication = "AUTHENTICATION" // category of templates for codes

	// How long WhatsApp tries to deliver, in seconds.
	leastTTL, mostTTL = 30, 900

	// unsaidMinutes is how long the button of a template works whose footer says
	// nothing.
	unsaidMinutes = 10
	mostMinutes   = 90
)

// Kinds of buttons.
const (
	copyCode = "COPY_CODE"
	oneTap   = "ONE_TAP"
	zeroTap  = "ZERO_TAP"
)

// submission is a new template.
type submission struct {
	Name       string        `json:"name"`
	Language   string        `json:"language"`
	Category   string        `json:"category"`
	TTL        int           `json:"message_send_ttl_seconds"`
	Components []newTemplate `json:"components"`
}

type newTemplate struct {
	Type     string      `json:"type"`
	Advice   *bool       `json:"add_security_recommendation,omitempty"`
	Minutes  int         `json:"code_expiration_minutes,omitempty"`
	OTPTypes []otpButton `json:"buttons,omitempty"`
}

type otpButton struct {
	Type          string `json:"type"`
	OTPType       string `json:"otp_type"`
	Text          string `json:"text,omitempty"`
	Autofill      string `json:"autofill_text,omitempty"`
	ZeroTapAgreed bool   `json:"zero_tap_terms_accepted,omitempty"`
	Apps          []app  `json:"supported_apps,omitempty"`
}

type app struct {
	Package string `json:"package_name"`
	Hash    string `json:"signature_hash"`
}

// submissionOf returns what WhatsApp is asked for. agreed makes one-tap
// templates zero-tap ones.
func submissionOf(t catalog.WhatsAppTemplate, agreed bool) submission {
	button := otpButton{Type: "OTP", OTPType: copyCode, Text: t.CopyButtonText}
	if t.OneTap {
		button.OTPType, button.Autofill = oneTap, t.AutofillButtonText
		button.Apps = []app{{t.PackageName, plainHash(t.SignatureHash)}}
		if agreed {
			button.OTPType, button.ZeroTapAgreed = zeroTap, true
		}
	}
	return submission{
		Name: strings.ToLower(t.Name), Language: t.Language, Category: authentication,
		TTL: min(max(60*t.Minutes, leastTTL), mostTTL), //nolint:mnd // seconds of a minute
		Components: []newTemplate{
			{Type: "BODY", Advice: &t.SecurityRecommendation},
			{Type: "FOOTER", Minutes: t.Minutes},
			{Type: "BUTTONS", OTPTypes: []otpButton{button}},
		},
	}
}

// plainHash undoes percent-encoding, which samples of the hash come in.
func plainHash(hash string) string {
	if plain, err := url.PathUnescape(hash); err == nil {
		return plain
	}
	return hash
}

// listed is a template as WhatsApp lists it.
type listed struct {
	ID         string `json:"id"`
	Name       string `json:"name"`
	Language   string `json:"language"`
	Status     string `json:"status"`
	Category   string `json:"category"`
	Components []struct {
		Type    string         `json:"type"`
		Text    string         `json:"text"`
		Advice  bool           `json:"add_security_recommendation"`
		Minutes int            `json:"code_expiration_minutes"`
		Buttons []listedButton `json:"buttons"`
	} `json:"components"`
}

type listedButton struct {
	Type     string `json:"type"` // URL, though it was submitted as OTP
	OTPType  string `json:"otp_type"`
	Text     string `json:"text"`
	URL      string `json:"url"`
	Autofill string `json:"autofill_text"`
	Apps     []app  `json:"supported_apps"`
	app             // of older templates
}

// template returns a listed template in our words.
func (l listed) template() catalog.WhatsAppTemplate {
	t := catalog.WhatsAppTemplate{Name: l.Name, Language: l.Language, Status: statusOf(l.Status)}
	said := ""
	for _, c := range l.Components {
		switch strings.ToUpper(c.Type) {
		case "BODY":
			t.Body, t.SecurityRecommendation = c.Text, c.Advice
		case "FOOTER":
			t.Footer, t.Minutes = c.Text, c.Minutes
		case "BUTTONS":
			for _, b := range c.Buttons {
				if minutes, ok := b.into(&t); ok {
					said = minutes
					break
				}
			}
		}
	}
	if t.Minutes == 0 {
		t.Minutes = number(said)
	}
	if t.Minutes < 1 || t.Minutes > mostMinutes {
		t.Minutes = unsaidMinutes
	}
	return t
}

// into adds what the button tells, if it is the one with the code. minutes is
// how long it works, as its URL says.
func (b listedButton) into(t *catalog.WhatsAppTemplate) (minutes string, ok bool) {
	kind := strings.ToUpper(b.OTPType)
	var query url.Values
	if u, err := url.Parse(b.URL); err == nil {
		query = u.Query()
	}
	if kind == "" {
		kind = strings.ToUpper(query.Get("otp_type"))
	}
	if kind != copyCode && kind != oneTap && kind != zeroTap {
		return "", false
	}
	t.OneTap = kind != copyCode
	t.CopyButtonText, t.ButtonURL = b.Text, b.URL
	if t.OneTap {
		first := b.app
		if len(b.Apps) > 0 {
			first = b.Apps[0]
		}
		t.AutofillButtonText = cmp.Or(b.Autofill, query.Get("cta_display_name"))
		t.PackageName = cmp.Or(first.Package, query.Get("package_name"))
		t.SignatureHash = cmp.Or(first.Hash, query.Get("signature_hash"))
	}
	return query.Get("code_expiration_minutes"), true
}

// statusOf returns a status in the words of the API; those that it has no word
// for stay as they are.
func statusOf(s string) string {
	s = strings.ToUpper(s)
	if s == "PENDING_DELETION" {
		return catalog.WhatsAppDeletionPending
	}
	return s
}
