package tyntecv4

import (
	"net/url"
	"regexp"

	"github.com/countersign/countersign/internal/catalog"
)

// Bounds of WhatsApp templates, all in characters (contract v4 §6.9).
const (
	maxWhatsAppName     = 512
	maxWhatsAppLanguage = 16
	maxButtonText       = 25
	maxPackageName      = 224
)

var (
	whatsAppName  = regexp.MustCompile(`^[A-Za-z0-9_]{1,512}$`)
	packageName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*(\.[A-Za-z][A-Za-z0-9_]*)+$`)
	signatureHash = regexp.MustCompile(`^[A-Za-z0-9+/=]{11}$`)
)

// whatsAppBody is the body of a submission (contract v4 §6.9.2).
type whatsAppBody struct {
	name, language, kind, otpType      *string
	recommendation                     *bool
	minutes                            *int64
	copyButtonText, autofillButtonText *string
	packageName, signatureHash         *string
}

func readWhatsAppBody(o *object) whatsAppBody {
	b := whatsAppBody{
		name:           o.text("name"),
		language:       o.text("language"),
		kind:           o.text("type"),
		otpType:        o.text("otpType"),
		recommendation: o.boolean("addSecurityRecommendation"),
		minutes:        o.integer("codeExpirationTime"),
		copyButtonText: o.text("copyButtonText"),
	}
	if b.oneTap() {
		b.autofillButtonText = o.text("autofillButtonText")
		b.packageName = o.text("packageName")
		b.signatureHash = o.text("signatureHash")
	}
	return b
}

func (b whatsAppBody) oneTap() bool { return b.otpType != nil && *b.otpType == otpOneTap }

func (f *facade) checkWhatsAppTemplate(b whatsAppBody, v *violations) {
	v.required("name", b.name, matches(whatsAppName))
	v.required("language", b.language, language)
	v.optional("type", b.kind, oneOf(typeOTP))
	v.optional("otpType", b.otpType, oneOf(otpCopyCode, otpOneTap))
	v.number("codeExpirationTime", b.minutes, 1, f.Limits.MaxMinutesWA)
	v.optional("copyButtonText", b.copyButtonText, size(1, maxButtonText), noNUL)
	if b.oneTap() {
		v.optional("autofillButtonText", b.autofillButtonText, size(1, maxButtonText), noNUL)
		v.required("packageName", b.packageName, size(1, maxPackageName), matches(packageName))
		v.required("signatureHash", b.signatureHash, hash)
	}
}

// hash wants a signature hash, percent-encoded or not.
func hash(s string) string {
	if decoded, err := url.PathUnescape(s); err != nil || !signatureHash.MatchString(decoded) {
		return mustMatch(signatureHash.String())
	}
	return ""
}

// template returns what is handed to WhatsApp; minutes is the default.
func (b whatsAppBody) template(minutes int) catalog.WhatsAppTemplate {
	t := catalog.WhatsAppTemplate{
		Name: *b.name, Language: *b.language, OneTap: b.oneTap(),
		SecurityRecommendation: b.recommendation == nil || *b.recommendation,
		Minutes:                minutes, CopyButtonText: orElse(b.copyButtonText, ""),
	}
	if b.minutes != nil {
		t.Minutes = int(*b.minutes)
	}
	if t.OneTap {
		t.AutofillButtonText = orElse(b.autofillButtonText, "")
		t.PackageName, t.SignatureHash = *b.packageName, *b.signatureHash
	}
	return t
}
