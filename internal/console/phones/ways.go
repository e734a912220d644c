package phones

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/console/page"
)

// Exchange is one request of a round with its answer.
type Exchange struct {
	Title        string
	Method, Path string
	Body         string // JSON, "" for none
	Status       int    // 0 if it is only shown
	Answer       string
}

// Curl is the request as a command for a shell; $API_KEY stands for a key.
func (e Exchange) Curl(server string) string {
	var b strings.Builder
	b.WriteString("curl -sS")
	if e.Method != http.MethodGet && e.Method != http.MethodPost {
		b.WriteString(" -X " + e.Method)
	}
	b.WriteString(" " + quoted(server+e.Path) + ` -H "apiKey: $API_KEY"`)
	if e.Body != "" {
		b.WriteString(" -H 'Content-Type: application/json' \\\n  -d " + quoted(e.Body))
	}
	return b.String()
}

// quoted is a word of a shell, whatever is in it.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// The objects that test codes are sent with. They are made when they are first
// needed and can be looked at and changed like any others.
const (
	testName     = "console_test"
	testWA       = "console_test_wa"
	testSender   = "4930123456" // of WhatsApp; nobody sees it
	testService  = "12345"      // of Viber
	testLanguage = "en"
	testText     = "Your code is {{otp_code}}. It is valid for {{expiration_time}} minutes."
	testCall     = "Hello. Your code is {{otp_code}}."
	api          = "/2fa/v4"
)

// way is an order of channels that a test code can go.
type way struct {
	value, label string
	channels     []string
	profile      string
	more         map[string]string // further members of the send
}

func ways() []way {
	return []way{
		{"sms", "SMS", []string{"SMS"}, testName, nil},
		{"sms-voice", "SMS, then a call if it does not arrive", []string{"SMS", "VOICE"}, testName, nil},
		{"voice", "Phone call", []string{"VOICE"}, testName, nil},
		{"whatsapp", "WhatsApp", []string{"WHATSAPP"}, testWA, map[string]string{"senderWA": testSender}},
		{"viber", "Viber", []string{"VIBER"}, testName, map[string]string{"senderViber": testService}},
	}
}

func wayOptions() []page.Option {
	var all []page.Option
	for _, w := range ways() {
		all = append(all, page.Option{Value: w.value, Label: w.label})
	}
	return all
}

// wayOf returns the way of a value.
func wayOf(value string) (way, bool) {
	i := slices.IndexFunc(ways(), func(w way) bool { return w.value == value })
	if i < 0 {
		return way{}, false
	}
	return ways()[i], true
}

func (w way) priority() string { return "console_test_" + strings.ReplaceAll(w.value, "-", "_") }

// object writes a JSON object, its members in the order given.
func object(pairs ...any) string {
	var b strings.Builder
	b.WriteString("{")
	for i := 0; i+1 < len(pairs); i += 2 {
		if i > 0 {
			b.WriteString(",")
		}
		name, _ := json.Marshal(pairs[i])      //nolint:errchkjson // a string
		value, err := json.Marshal(pairs[i+1]) // strings, numbers and lists of objects
		if err != nil {
			value = []byte("null")
		}
		b.Write(name)
		b.WriteString(":")
		b.Write(value)
	}
	b.WriteString("}")
	return b.String()
}

// linked is a channel of a profile with its template.
type linked struct{ channel, template string }

// ranked is a channel of a priority.
type ranked struct {
	Channel  string `json:"channel"`
	Priority int    `json:"priority"`
}

// MarshalJSON writes a channel of a profile.
func (l linked) MarshalJSON() ([]byte, error) {
	return []byte(`{"type":"` + l.channel + `","templates":[{"name":"` + l.template + `"}]}`), nil
}

// setup is what has to be there before a code can go this way.
func (w way) setup() []Exchange {
	post := func(title, path, body string) Exchange {
		return Exchange{Title: title, Method: http.MethodPost, Path: api + path, Body: body}
	}
	var all []Exchange
	if w.profile == testWA {
		all = append(
			all,
			post("Name a WhatsApp account", "/configurations/channels/whatsapp", object("whatsAppAccountId", "sandbox")),
			post("Submit a template for review", "/templates/whatsapp", object("name", testName, "language", testLanguage, "otpType", "COPY_CODE")),
			post("Make a profile that uses it", "/profiles", object("name", testWA, "channels", []linked{{"WHATSAPP", testName}})),
		)
	} else {
		all = append(
			all,
			post("Make a text for SMS", "/templates/sms", object("name", testName, "language", testLanguage, "message", testText)),
			post("Make a text for calls", "/templates/voice", object("name", testName, "language", testLanguage, "message", testCall)),
			post("Make a text for Viber", "/templates/viber", object("name", testName, "language", testLanguage, "message", testText)),
			post("Make a profile that uses them", "/profiles", object("name", testName, "channels",
				[]linked{{"SMS", testName}, {"VOICE", testName}, {"VIBER", testName}})),
		)
	}
	var order []ranked
	for i, c := range w.channels {
		order = append(order, ranked{c, i + 1})
	}
	return append(all, post("Make an order of channels", "/priorities", object("name", w.priority(), "channelPriority", order)))
}

// send is the request that sends a code this way.
func (w way) send(to string) Exchange {
	pairs := []any{"to", to, "profileName", w.profile, "priorityName", w.priority()}
	for name, value := range w.more {
		pairs = append(pairs, name, value)
	}
	return Exchange{Title: "Send a code", Method: http.MethodPost, Path: api + "/otp", Body: object(pairs...)}
}
