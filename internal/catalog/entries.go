package catalog

import (
	"log/slog"
	"time"

	"github.com/countersign/countersign/internal/message"
)

// Template is the text of a message on one channel, in one language, which is
// fixed. Its name is unique per account and channel, whatever the language.
type Template struct {
	ID       string // random UUID, lower case
	Channel  message.Channel
	Name     string
	Language string
	Message  string // in the placeholders of the facade that wrote it
	Minutes  int    // how long a code sent with it lives
}

// Link ties a profile to a template by channel, name and language. The
// template may be gone; the link then stays, unusable until one of that
// channel, name and language exists again.
type Link struct {
	Channel  message.Channel
	Template string // name
	Language string
}

// Profile bundles code rules and templates. Its name is unique per account.
type Profile struct {
	ID           string // random UUID, lower case
	Name         string
	Alphanumeric bool
	Attempts     int
	CodeLength   int
	Links        []Link // in the order they were added; one per channel and language
	// New are those of Links whose templates must exist when the profile is
	// written, for one may have been renamed since it was looked up. They are said
	// by whoever writes and never read back.
	New []Link
}

// Rank is a channel's place in a priority; the lowest rank is tried first.
type Rank struct {
	Channel message.Channel
	Rank    int // at least 1
}

// Priority is a named order of channels. Its name is unique per account.
type Priority struct {
	ID       string // random UUID, lower case
	Name     string
	Channels []Rank // by ascending rank
}

// Header is a custom header of a callback configuration. Its value opens the
// receiver's door: however the header is printed, the value stays hidden.
type Header struct{ Name, Value string }

// String hides the value.
func (h Header) String() string { return h.Name + ": [header]" }

// GoString hides the value.
func (h Header) GoString() string { return h.String() }

// LogValue hides the value.
func (h Header) LogValue() slog.Value { return slog.StringValue(h.String()) }

// MarshalText hides the value; facades write name and value themselves.
func (h Header) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// Callback is a subscription to delivery events. However it is printed, its
// headers and its URL, which may hold credentials, stay hidden.
type Callback struct {
	ID        string // random UUID, lower case
	URL       string
	ProfileID string   // only events of OTPs sent with that profile; "" for all
	Headers   []Header // sealed at rest
}

// String names the configuration by its id.
func (c Callback) String() string { return "callback " + c.ID }

// GoString names the configuration by its id.
func (c Callback) GoString() string { return c.String() }

// LogValue names the configuration by its id.
func (c Callback) LogValue() slog.Value { return slog.StringValue(c.String()) }

// MarshalText names the configuration by its id; facades write its members
// themselves.
func (c Callback) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// Application is a bundle of code rules and texts by language for callers
// that name one when they send. Its name is unique per account; exactly one
// per account is the default.
type Application struct {
	ID           string // random UUID, lower case
	Default      bool
	Name         string
	CodeLength   int
	Alphanumeric bool
	Attempts     int
	Life         time.Duration
	Texts        map[string]string // by language, or language-channel, lower case
	Sender       string
	Caller       string // "" for none
	Alias        int64  // a number that also names it; 0 for none
	Created      time.Time
}

// Sources are what a send by the names of a profile and a priority is made of.
type Sources struct {
	Profile  *Profile  // nil if the name names none
	Priority *Priority // nil if the name names none
	// Templates are those that the profile's links name and that exist, in the
	// order of the links, without WhatsApp's.
	Templates []Template
	// WhatsAppAccount is the account's WhatsApp account id, "" for none.
	WhatsAppAccount string
}

// octets is about how much memory the sources take, both names of which name
// something.
func (s Sources) octets() int {
	const each = 128 // beside the texts
	n := each + len(s.Profile.Name) + len(s.Priority.Name)
	for _, l := range s.Profile.Links {
		n += each + len(l.Template) + len(l.Language)
	}
	for _, t := range s.Templates {
		n += each + len(t.ID) + len(t.Name) + len(t.Language) + len(t.Message)
	}
	return n
}
