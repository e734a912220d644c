package tyntecv1

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// Bounds of contract v1 §2.5 and §3.
const (
	minPIN, maxPIN           = 4, 10
	minExpire, maxExpire     = 30, 7200 // seconds
	minAttempts, maxAttempts = 1, 10
	maxText                  = 1600
	maxReference             = 255
	maxName                  = 100
)

var (
	senderForm = regexp.MustCompile(`^([A-Za-z0-9 ._&-]{1,11}|\+?[0-9]{3,15})$`)
	callerForm = regexp.MustCompile(`^[A-Za-z0-9+]{1,16}$`)
	codeForm   = regexp.MustCompile(`^[!-~]{4,20}$`)
)

// integer reads a parameter that has only decimal digits and a value from low
// to high, or returns bad. It is fallback if absent.
func (p params) integer(name string, fallback, low, high int, bad error) (int, error) {
	text, ok := p[name]
	if !ok {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || !otp.AllDigits(text) || n < low || n > high {
		return 0, bad
	}
	return n, nil
}

// boolean reads a truth value in any of the usual words, or returns
// errBoolean. It is fallback if absent.
func (p params) boolean(name string, fallback bool) (bool, error) {
	text, ok := p[name]
	if !ok {
		return fallback, nil
	}
	switch wire.Fold(text) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, errBoolean
}

// matching reads a parameter of a form, or returns bad. It is fallback if
// absent.
func (p params) matching(name, fallback string, form *regexp.Regexp, bad error) (string, error) {
	text, ok := p[name]
	if !ok {
		return fallback, nil
	}
	if !form.MatchString(text) || strings.TrimSpace(text) == "" {
		return "", bad
	}
	return text, nil
}

// line reads a parameter of at most so many characters, or returns bad.
func (p params) line(name string, most int, bad error) (string, error) {
	text := p[name]
	if !fits(text, most) {
		return "", bad
	}
	return text, nil
}

// fits reports whether text has at most so many characters, none of them the
// character U+0000, which not every database can keep.
func fits(text string, most int) bool {
	return utf8.RuneCountInString(text) <= most && !strings.ContainsRune(text, 0)
}

// channels are the values of via and channel but AUTO, which is "".
var channels = map[string]message.Channel{"sms": message.SMS, "voice": message.Voice}

// via returns the channel that is asked for, "" for AUTO.
func (p params) via() (message.Channel, error) {
	text := wire.Fold(p["via"])
	channel, ok := channels[text]
	if !ok && text != "" && text != "auto" {
		return "", errVia
	}
	return channel, nil
}
