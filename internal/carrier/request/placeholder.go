package request

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// secretPrefix begins the placeholders of secrets.
const secretPrefix = "secret."

// placeholder is what a name in a template stands for.
type placeholder struct {
	value  func(f *facts) string
	number bool // a whole number without leading zeros, whatever the message
}

// facts are what placeholders are filled in from.
type facts struct {
	delivery.Message

	text       string // what the person is to read or hear
	now        time.Time
	sender     string
	receiptURL string
	encodings  map[string]string
}

// placeholders returns those that every template may hold, and the secrets.
func placeholders(secrets map[string]setting.Secret) map[string]placeholder {
	text := func(value func(f *facts) string) placeholder { return placeholder{value: value} }
	number := func(value func(f *facts) int64) placeholder {
		return placeholder{value: func(f *facts) string { return strconv.FormatInt(value(f), 10) }, number: true}
	}
	all := map[string]placeholder{
		"to":           text(func(f *facts) string { return f.Recipient.Reveal() }),
		"to_digits":    {value: func(f *facts) string { return strings.TrimPrefix(f.Recipient.Reveal(), "+") }, number: true},
		"sender":       text(func(f *facts) string { return f.sender }),
		"text":         text(func(f *facts) string { return f.text }),
		"code":         text(func(f *facts) string { return f.Code.Reveal() }),
		"language":     text(func(f *facts) string { return f.Step.Language }),
		"channel":      text(func(f *facts) string { return string(f.Step.Channel) }),
		"id":           text(func(f *facts) string { return f.Dedupe }),
		"attempt":      number(func(f *facts) int64 { return int64(f.Try) }),
		"segments":     number(func(f *facts) int64 { return int64(message.Segments(f.text).Segments) }),
		"encoding":     text((*facts).encoding),
		"expires_at":   text(func(f *facts) string { return f.Expires.UTC().Format(time.RFC3339) }),
		"expires_unix": number(func(f *facts) int64 { return f.Expires.Unix() }),
		"ttl_seconds":  number(func(f *facts) int64 { return f.left(time.Second) }),
		"ttl_minutes":  number(func(f *facts) int64 { return f.left(time.Minute) }),
		"receipt_url":  text(func(f *facts) string { return f.receiptURL }),
	}
	for name, secret := range secrets {
		all[secretPrefix+name] = text(func(*facts) string { return secret.Reveal() })
	}
	return all
}

// left is how many units are left of the code's life, begun ones too.
func (f *facts) left(unit time.Duration) int64 {
	return max(1, int64((f.Ends().Sub(f.now)+unit-1)/unit))
}

func (f *facts) encoding() string {
	name := message.Segments(f.text).Encoding.String()
	if word, ok := f.encodings[name]; ok {
		return word
	}
	return name
}

// names lists the placeholders for people.
func names(known map[string]placeholder) string {
	return strings.Join(slices.Sorted(maps.Keys(known)), ", ")
}

// numbers lists those that are whole numbers.
func numbers(known map[string]placeholder) string {
	only := maps.Clone(known)
	maps.DeleteFunc(only, func(_ string, p placeholder) bool { return !p.number })
	return names(only)
}
