package request

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/carrier/setting"
)

// token is a placeholder as a template writes it. A brace that begins none is
// text: JSON is full of them.
var token = regexp.MustCompile(`\{([A-Za-z0-9_.-]+)\}`)

var (
	errJSON      = errors.New("is no JSON once the placeholders are filled in")
	errForm      = errors.New("is no form; expected name={placeholder}&name={placeholder}, printable ASCII without blanks")
	errTwoBraces = errors.New("has {{; a placeholder has one brace on each side")
)

// template is a text with placeholders, each with what its place needs. The zero
// template is empty.
type template struct{ pieces []piece }

// piece is a literal text, and a placeholder behind it unless name is "".
type piece struct {
	literal string
	name    string
	value   func(f *facts) string
	escape  escape
}

// escape writes a value for the place where it stands, in which it cannot end
// that place. It reports false for a value that the place cannot hold.
type escape func(value string) (string, bool)

// parse reads a text; escapes are for its caller to set.
func parse(text string, known map[string]placeholder) (template, error) {
	var t template
	at := 0
	for _, m := range token.FindAllStringSubmatchIndex(text, -1) {
		name := text[m[2]:m[3]]
		p, ok := known[name]
		switch {
		case m[0] > 0 && text[m[0]-1] == '{':
			return template{}, errTwoBraces
		case !ok && strings.HasPrefix(name, secretPrefix):
			return template{}, fmt.Errorf("has {%s}, which secrets does not hold", name) //nolint:err113 // for people
		case !ok:
			return template{}, fmt.Errorf("has {%s}, which is no placeholder; expected one of %s", name, names(known)) //nolint:err113 // for people
		}
		t.pieces = append(t.pieces, piece{literal: text[at:m[0]], name: name, value: p.value})
		at = m[1]
	}
	if at < len(text) {
		t.pieces = append(t.pieces, piece{literal: text[at:]})
	}
	return t, nil
}

// render fills in the placeholders, in one pass. unfit is the name of one whose
// value its place cannot hold, "" for none.
func (t template) render(f *facts) (text, unfit string) {
	var b strings.Builder
	for _, p := range t.pieces {
		b.WriteString(p.literal)
		if p.name == "" {
			continue
		}
		v, ok := p.escape(strings.ToValidUTF8(p.value(f), "\uFFFD"))
		if !ok {
			return "", p.name
		}
		b.WriteString(v)
	}
	return b.String(), ""
}

// sample is the text with a letter in place of every placeholder.
func (t template) sample() string {
	var b strings.Builder
	for _, p := range t.pieces {
		b.WriteString(p.literal)
		if p.name != "" {
			b.WriteByte('z')
		}
	}
	return b.String()
}

// has returns the first of the placeholders that the template holds, "" for
// none.
func (t template) has(names ...string) string {
	for _, name := range names {
		for _, p := range t.pieces {
			if p.name == name {
				return name
			}
		}
	}
	return ""
}

// holds reports whether any placeholder's name is so.
func (t template) holds(so func(name string) bool) bool {
	return slices.ContainsFunc(t.pieces, func(p piece) bool { return p.name != "" && so(p.name) })
}

// everywhere sets one escape for all placeholders.
func (t template) everywhere(e escape) template {
	for i := range t.pieces {
		t.pieces[i].escape = e
	}
	return t
}

// inURL sets the escapes of a URL: the path's up to the first question mark.
func (t template) inURL() template {
	e := escape(inPath)
	for i, p := range t.pieces {
		if strings.Contains(p.literal, "?") {
			e = inQuery
		}
		t.pieces[i].escape = e
	}
	return t
}

// inJSON sets the escapes of a JSON text, in which placeholders stand inside
// strings; outside only those that are whole numbers.
func (t template) inJSON(known map[string]placeholder) (template, error) {
	quoted, escaped := false, false
	// What stands for the values completes no escape sequence and follows no
	// leading zero.
	var sample strings.Builder
	for i, p := range t.pieces {
		for _, c := range []byte(p.literal) {
			switch {
			case escaped:
				escaped = false
			case quoted && c == '\\':
				escaped = true
			case c == '"':
				quoted = !quoted
			}
		}
		sample.WriteString(p.literal)
		switch {
		case p.name == "":
		case quoted:
			t.pieces[i].escape = inString
			sample.WriteByte('z')
		case known[p.name].number:
			t.pieces[i].escape = asIs
			sample.WriteByte('7')
		default:
			return template{}, fmt.Errorf("has {%s} outside a text in quotes; only whole numbers stand there: %s", p.name, numbers(known)) //nolint:err113 // for people
		}
	}
	if !json.Valid([]byte(sample.String())) {
		return template{}, errJSON
	}
	return t, nil
}

// inForm sets the escapes of a form (application/x-www-form-urlencoded).
func (t template) inForm() (template, error) {
	t.everywhere(inForm)
	text := t.sample()
	if _, err := url.ParseQuery(text); err != nil || !visible(text) {
		return template{}, errForm
	}
	return t, nil
}

const hexDigits = "0123456789ABCDEF"

// inQuery writes all but the unreserved characters of RFC 3986 §2.3 by their
// bytes.
func inQuery(value string) (string, bool) {
	var b strings.Builder
	for _, c := range []byte(value) {
		switch {
		case 'a' <= c|0x20 && c|0x20 <= 'z', '0' <= c && c <= '9', c == '-', c == '.', c == '_', c == '~':
			b.WriteByte(c)
		default:
			b.Write([]byte{'%', hexDigits[c>>4], hexDigits[c&0xF]})
		}
	}
	return b.String(), true
}

// inPath is inQuery for values that do not change which path it is.
func inPath(value string) (string, bool) {
	switch value {
	case "", ".", "..":
		return "", false
	}
	return inQuery(value)
}

func inForm(value string) (string, bool) { return url.QueryEscape(value), true }

func inString(value string) (string, bool) {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return "", false
	}
	return strings.TrimSuffix(strings.TrimPrefix(b.String(), `"`), "\"\n"), true
}

// inHeader is for what a header's value can hold: it has no escapes.
func inHeader(value string) (string, bool) { return value, setting.Printable(value) }

func asIs(value string) (string, bool) { return value, true }
