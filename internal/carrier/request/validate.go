package request

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// Validate returns a KeyError for the first key that is wrong, or nil. It reads
// the files that the TLS keys name and does nothing else.
func (c Config) Validate() error {
	_, err := c.settle()
	return err
}

func wrong(key, format string, args ...any) error {
	return &setting.KeyError{Key: key, Err: fmt.Errorf(format, args...)}
}

// settled is a valid Config in the form that is worked with.
type settled struct {
	Config
	guard *callback.Guard
	tls   *tls.Config // nil: the system's
	known map[string]placeholder

	base     *url.URL // scheme and host of url
	url      template
	body     template
	headers  map[string]template
	probe    template // of check_url
	byNumber bool     // whether only numbers can be sent to

	read                     func(answer []byte) any // nil for what cannot be read
	successAt, refAt, errsAt pointer
	classes                  map[string]delivery.Class // by lower-case value

	receipts *receipts // nil: none are configured
}

func (c Config) settle() (settled, error) {
	s := settled{Config: c.withDefaults(), classes: map[string]delivery.Class{}, read: readJSON}
	s.guard = callback.NewGuard(callback.GuardConfig{AllowPrivate: s.AllowPrivate})
	for _, check := range []func(*settled) error{
		(*settled).checkWords, (*settled).checkSecrets, (*settled).checkURL, (*settled).checkHeaders, (*settled).checkBody,
		(*settled).checkContent, (*settled).checkAnswers, (*settled).checkClasses, (*settled).checkReceipts, (*settled).checkOurs,
	} {
		if err := check(&s); err != nil {
			return settled{}, err
		}
	}
	var err error
	s.tls, err = setting.LoadTLS(s.CAFile, s.CertFile, s.KeyFile)
	return s, err //nolint:wrapcheck // a KeyError already
}

func (s *settled) checkWords() error {
	switch {
	case s.Name == "":
		return wrong("name", "is missing")
	case len(s.Name) > maxName:
		return wrong("name", "has %d characters; use 1 to %d", len(s.Name), maxName)
	case s.Timeout < time.Second || s.Timeout > maxTimeout:
		return wrong("timeout", "is %v; use 1s to %v", s.Timeout, maxTimeout)
	case len(s.Sender) > maxSender || !setting.Printable(s.Sender):
		return wrong("sender", "has more than %d characters, or one that is not printable ASCII", maxSender)
	}
	for _, f := range []struct {
		key, value string
		words      []string
	}{
		{"method", s.Method, []string{http.MethodPost, http.MethodPut, http.MethodGet}},
		{"content_type", s.ContentType, []string{formatJSON, formatForm, formatText}},
		{"answer", s.Answer, []string{formatJSON, formatText}},
	} {
		if !slices.Contains(f.words, f.value) {
			return wrong(f.key, "is %q; use one of %s", f.value, strings.Join(f.words, ", "))
		}
	}
	for _, c := range s.Channels {
		if !c.Known() {
			return wrong("channels", "%q is no channel; use SMS, VOICE, WHATSAPP, VIBER or EMAIL", string(c))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Encodings)) {
		if name != message.GSM7.String() && name != message.UCS2.String() {
			return wrong("encodings", "%q is no encoding; use GSM7 and UCS2", name)
		}
	}
	return nil
}

var secretName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

func (s *settled) checkSecrets() error {
	for _, name := range slices.Sorted(maps.Keys(s.Secrets)) {
		if !secretName.MatchString(name) {
			return wrong("secrets", "%q is no name; use a-z, 0-9 and _", name)
		}
	}
	s.known = placeholders(s.Secrets)
	return s.CheckCredentials() //nolint:wrapcheck // a KeyError already
}

func (s *settled) checkHeaders() error {
	if len(s.Headers) > maxHeaders {
		return wrong("headers", "are %d; use %d at most", len(s.Headers), maxHeaders)
	}
	s.headers = make(map[string]template, len(s.Headers))
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		text := s.Headers[name]
		isAuth := strings.EqualFold(name, "Authorization")
		switch {
		case !setting.FieldName(name):
			return wrong("headers", "%q is no name of a header", name)
		case callback.ReservedHeader(name), strings.EqualFold(name, "User-Agent"),
			isAuth && !s.Anonymous():
			return wrong("headers", "%s is set by the server itself", name)
		case strings.HasPrefix(text, "env:"), strings.HasPrefix(text, "file:"):
			return wrong("headers", "%s is a template: put the secret into secrets and write {secret.NAME} here", name)
		case len(text) > maxHeader || !setting.Printable(text):
			return wrong("headers", "%s has more than %d characters, or one that is not printable ASCII", name, maxHeader)
		}
		t, err := parse(text, s.known)
		switch {
		case err != nil:
			return wrong("headers", "%s %w", name, err)
		case t.has("text") != "":
			return wrong("headers", "%s has {text}, which a header cannot hold", name)
		case isAuth && !t.holds(isSecret):
			return wrong("headers", "Authorization holds no {secret.NAME}, and secrets do not stand in this file")
		}
		for _, p := range t.pieces {
			if v, secret := strings.CutPrefix(p.name, secretPrefix); secret && !setting.Printable(s.Secrets[v].Reveal()) {
				return wrong("headers", "%s has {%s}, which has a character that is not printable ASCII", name, p.name)
			}
		}
		s.headers[name] = t.everywhere(inHeader)
	}
	return nil
}

func (s *settled) checkBody() error {
	switch {
	case s.Body == "":
		return nil
	case s.Method == http.MethodGet:
		return wrong("body", "cannot be sent with GET; leave it out, or use POST")
	case len(s.Body) > maxBody:
		return wrong("body", "has %d bytes; use %d at most", len(s.Body), maxBody)
	}
	t, err := parse(s.Body, s.known)
	if err == nil {
		switch s.ContentType {
		case formatJSON:
			t, err = t.inJSON(s.known)
		case formatForm:
			t, err = t.inForm()
		default:
			t = t.everywhere(asIs)
		}
	}
	if err != nil {
		return wrong("body", "%w", err)
	}
	s.body = t
	return nil
}

// templates returns all that a message is written with.
func (s *settled) templates() []template {
	return slices.AppendSeq([]template{s.url, s.body}, maps.Values(s.headers))
}

// sends reports whether any of the placeholders is sent.
func (s *settled) sends(names ...string) bool {
	return slices.ContainsFunc(s.templates(), func(t template) bool { return t.has(names...) != "" })
}

// where is the key under which a placeholder that is missing belongs.
func (s *settled) where() string {
	if s.Method == http.MethodGet {
		return "url"
	}
	return "body"
}

// checkContent checks what is sent, wherever it stands.
func (s *settled) checkContent() error {
	s.byNumber = s.sends("to_digits")
	switch {
	case s.sends("code") && !s.IncludeCode:
		return wrong("include_code", "is needed for {code}; set it to true, or send {text}")
	case !s.sends("text", "code"):
		return wrong(s.where(), "sends neither {text} nor {code}")
	case !s.sends("to", "to_digits"):
		return wrong(s.where(), "sends neither {to} nor {to_digits}")
	case s.byNumber && slices.Contains(s.Channels, message.Email):
		return wrong("channels", "has EMAIL, and an address has no {to_digits}")
	case s.Deduplicates && !s.sends("id"):
		return wrong("deduplicates", "needs {id} in the request, by which the gateway recognises a repetition")
	case s.Encodings != nil && !s.sends("encoding"):
		return wrong("encodings", "have a meaning with {encoding} only")
	case s.Sender != "" && !s.sends("sender"):
		return wrong("sender", "has a meaning with {sender} only")
	}
	return nil
}

// checkOurs checks the templates against what becomes of receipts.
func (s *settled) checkOurs() error {
	switch {
	case s.receipts == nil && s.sends("receipt_url"):
		return wrong("receipt_status", "is missing beside {receipt_url}")
	case s.receipts == nil:
		return nil
	case s.ReceiptID != "" && !s.sends("id"):
		return wrong("receipt_id", "needs {id} in the request, for the gateway to name it later")
	case s.ReceiptID != "" && s.RefPointer != "":
		return wrong("ref_pointer", "has no use, as receipts name our id; leave it out, or use receipt_ref instead of receipt_id")
	case s.ReceiptRef != "" && s.RefPointer == "":
		return wrong("receipt_ref", "needs ref_pointer, which finds the gateway's id in its answer")
	}
	return nil
}

// visible is printable without blanks.
func visible(s string) bool { return setting.Printable(s) && !strings.Contains(s, " ") }
