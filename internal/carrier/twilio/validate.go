package twilio

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
)

func wrong(key, format string, args ...any) *setting.KeyError {
	return &setting.KeyError{Key: key, Err: fmt.Errorf(format, args...)}
}

// Lengths in characters; ours, and far above what is in use.
const (
	maxName   = 64
	maxSecret = 128
	maxVoice  = 128
)

// sidDigits are the characters behind the two letters of a SID.
const sidDigits = 32

// Validate returns a KeyError for the first key that is wrong, or nil.
func (c Config) Validate() error {
	if _, err := c.settle(); err != nil {
		return err
	}
	return nil
}

// settled is a valid Config in the form that is worked with.
type settled struct {
	Config
	base    url.URL
	classes map[int]delivery.Class // of Errors
}

func (c Config) settle() (settled, *setting.KeyError) {
	s := settled{Config: c.withDefaults()}
	for _, check := range []func(*settled) *setting.KeyError{
		(*settled).checkAccount, (*settled).checkBase, (*settled).checkSenders, (*settled).checkWords,
		(*settled).checkContent, (*settled).checkVoice, (*settled).checkErrors,
	} {
		if err := check(&s); err != nil {
			return settled{}, err
		}
	}
	return s, nil
}

func (s *settled) checkAccount() *setting.KeyError {
	for _, f := range []struct {
		key, value string
		limit      int
		needed     bool
	}{
		{"name", s.Name, maxName, true},
		{"auth_token", s.AuthToken.Reveal(), maxSecret, true},
		{"previous_auth_token", s.PreviousAuthToken.Reveal(), maxSecret, false},
		{"api_secret", s.APISecret.Reveal(), maxSecret, s.APIKey != ""},
	} {
		switch {
		case f.needed && f.value == "":
			return wrong(f.key, "is missing")
		case len(f.value) > f.limit:
			return wrong(f.key, "has %d characters; use %d at most", len(f.value), f.limit)
		case !setting.Printable(f.value):
			return wrong(f.key, "has a character that is not printable ASCII")
		}
	}
	for _, f := range []struct {
		key, value, letters string
		needed              bool
	}{
		{"account_sid", s.AccountSID, "AC", true},
		{"api_key", s.APIKey, "SK", s.APISecret.Reveal() != ""},
		{"messaging_service_sid", s.MessagingServiceSID, "MG", false},
	} {
		switch {
		case f.needed && f.value == "":
			return wrong(f.key, "is missing")
		case f.value != "" && !isSID(f.value, f.letters):
			return wrong(f.key, "is not %s and %d hexadecimal digits", f.letters, sidDigits)
		}
	}
	return nil
}

func (s *settled) checkBase() *setting.KeyError {
	u, err := url.Parse(s.BaseURL)
	if err != nil || u.Host == "" || u.User != nil || strings.Trim(u.Path, "/")+u.RawQuery+u.Fragment != "" {
		return wrong("base_url", `is not scheme and host, like "https://api.twilio.com"`)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		return wrong("base_url", "has to begin with https://, as token and codes travel there")
	}
	if !overridesForm.MatchString(s.CallbackOverrides) {
		return wrong("callback_overrides", `is not "none" or like "rc=5&rp=5xx,ct,rt"`)
	}
	u.Path = ""
	s.base = *u
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (s *settled) checkSenders() *setting.KeyError {
	switch {
	case s.From+s.MessagingServiceSID+s.WhatsAppFrom+s.Caller == "":
		return wrong("from", "is missing; one of from, messaging_service_sid, whatsapp_from and caller is needed")
	case s.From != "" && s.MessagingServiceSID != "":
		return wrong("from", "is not possible beside messaging_service_sid, which picks the sender; list it in senders")
	case s.From != "" && senderOf(s.From) == "":
		return wrong("from", "is no number with +, no short code and no name of up to 11 letters, digits, blanks and -_.&")
	case s.WhatsAppFrom != "" && numberOf(s.WhatsAppFrom) == "":
		return wrong("whatsapp_from", "is no number with +")
	case s.Caller != "" && numberOf(s.Caller) == "":
		return wrong("caller", "is no number with +")
	}
	for i, sender := range s.Senders {
		if sender != anySender && senderOf(sender) == "" {
			return wrong("senders", `entry %d is no number with +, no short code, no name and not "*"`, i+1)
		}
	}
	return nil
}

func (s *settled) checkWords() *setting.KeyError {
	for _, f := range []struct {
		key, value string
		words      []string
	}{
		{"risk_check", s.RiskCheck, []string{"enable", "disable"}},
		{"content_retention", s.ContentRetention, []string{"retain", "discard"}},
		{"address_retention", s.AddressRetention, []string{"retain", "obfuscate"}},
	} {
		if f.value != "" && !slices.Contains(f.words, f.value) {
			return wrong(f.key, "is %q; use one of %s", f.value, strings.Join(f.words, ", "))
		}
	}
	return nil
}

func (s *settled) checkContent() *setting.KeyError {
	for _, name := range slices.Sorted(maps.Keys(s.Content)) {
		if !isSID(s.Content[name], "HX") {
			return wrong("content", "entry %q is not HX and %d hexadecimal digits", name, sidDigits)
		}
	}
	return nil
}

func (s *settled) checkVoice() *setting.KeyError {
	for _, f := range []struct {
		key               string
		value, from, upTo time.Duration
	}{
		{"ring_time", s.RingTime, leastRingTime, mostRingTime},
		{"least_listening", s.LeastListening, time.Second, mostListening},
	} {
		if f.value < f.from || f.value > f.upTo {
			return wrong(f.key, "is %v; use %v to %v", f.value, f.from, f.upTo)
		}
	}
	for _, language := range slices.Sorted(maps.Keys(s.Voices)) {
		if v := s.Voices[language]; v == "" || len(v) > maxVoice || !setting.Printable(v) {
			return wrong("voices", "entry %q names no voice", language)
		}
	}
	if s.MachineDetection && s.InlineVoice {
		return wrong("machine_detection", "is not possible with inline_voice, which cannot hang up on a machine")
	}
	return nil
}

func (s *settled) checkErrors() *setting.KeyError {
	s.classes = make(map[int]delivery.Class, len(s.Errors))
	for _, text := range slices.Sorted(maps.Keys(s.Errors)) {
		code, err := strconv.Atoi(text)
		if err != nil || code < 1 || strconv.Itoa(code) != text {
			return wrong("errors", "%q is no error code of Twilio, like 21610", text)
		}
		class, ok := delivery.ParseClass(s.Errors[text])
		if !ok {
			return wrong("errors", "%s is %q; use RETRY, PERMANENT or CONFIG", text, s.Errors[text])
		}
		s.classes[code] = class
	}
	return nil
}

func isSID(text, letters string) bool {
	digits, ok := strings.CutPrefix(text, letters)
	return ok && len(digits) == sidDigits && strings.Trim(digits, "0123456789abcdefABCDEF") == ""
}

var (
	numberForm    = regexp.MustCompile(`^\+?[1-9][0-9]{8,14}$`)
	plusForm      = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)
	shortCodeForm = regexp.MustCompile(`^[0-9]{3,8}$`)
	overridesForm = regexp.MustCompile(`^(none|[a-z]+=[a-z0-9,-]+(&[a-z]+=[a-z0-9,-]+)*)$`)
	nameForm      = regexp.MustCompile(`^[A-Za-z0-9 ._&-]{1,11}$`)
)

// numberOf returns a number in Twilio's form, "+" and digits, or "" if text is
// none. Some APIs write the plus and some do not.
func numberOf(text string) string {
	if !numberForm.MatchString(text) && !plusForm.MatchString(text) {
		return ""
	}
	return "+" + strings.TrimPrefix(text, "+")
}

// senderOf returns an originator of SMS in Twilio's form, or "" if text is none:
// a number, a short code, or a name with at least one letter.
func senderOf(text string) string {
	switch {
	case numberOf(text) != "":
		return numberOf(text)
	case shortCodeForm.MatchString(text):
		return text
	case nameForm.MatchString(text) && strings.ContainsFunc(text, letter):
		return text
	}
	return ""
}

func letter(r rune) bool { return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' }
