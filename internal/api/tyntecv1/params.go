package tyntecv1

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/api/wire"
)

// unreadable stands for a value that is no text: broken percent-encoding, not
// UTF-8, a JSON array or object. No rule of any parameter accepts it, so that
// it gets the error of its parameter.
const unreadable = "\x00"

// params are the values of an operation's parameters by their documented
// names; one that is absent or empty is not there.
type params map[string]string

// pair is a parameter as it came.
type pair struct{ name, value string }

// decode looks for the parameters called names (contract v1 §2): in the query,
// then in the body, and the first place that has one wins. Within a place, the
// documented spelling wins, then the first in any letter case. Empty values
// count as absent; what is not looked for is ignored. The error is errBody for
// a body that should be a JSON object and is none.
func decode(names []string, query, contentType string, body []byte) (params, error) {
	content, err := bodyPairs(contentType, body)
	if err != nil {
		return nil, err
	}
	places := [][]pair{encodedPairs(query), content}
	found := params{}
	for _, name := range names {
		for _, place := range places {
			if value := pick(place, name); value != "" {
				found[name] = value
				break
			}
		}
	}
	return found, nil
}

func pick(place []pair, name string) string {
	other := ""
	for _, p := range place {
		switch {
		case p.value == "":
		case p.name == name:
			return p.value
		case other == "" && wire.EqualFold(p.name, name):
			other = p.value
		}
	}
	return other
}

// bodyPairs reads a body by what it is. One that begins with a brace is JSON,
// whatever it is labelled as: the vendor's own example is sent as a form.
func bodyPairs(contentType string, body []byte) ([]pair, error) {
	text := strings.TrimLeft(string(body), " \t\r\n")
	media, _, _ := strings.Cut(contentType, ";")
	media = wire.Fold(strings.TrimSpace(media))
	switch {
	case text == "":
		return nil, nil
	case text[0] == '{' || media == "application/json":
		return jsonPairs(body)
	case media == "application/x-www-form-urlencoded" || media == "":
		return encodedPairs(text), nil
	}
	return nil, nil
}

// encodedPairs reads a query string or form. Like everywhere in forms, a plus
// is a blank; the number's rule knows what a leading blank means.
func encodedPairs(text string) []pair {
	var pairs []pair
	for item := range strings.SplitSeq(text, "&") {
		k, v, _ := strings.Cut(item, "=")
		name, err := url.QueryUnescape(k)
		if err != nil || name == "" {
			continue
		}
		value, err := url.QueryUnescape(v)
		if err != nil || !utf8.ValidString(value) {
			value = unreadable
		}
		pairs = append(pairs, pair{name, value})
	}
	return pairs
}

func jsonPairs(body []byte) ([]pair, error) {
	v, err := wire.ParseJSON(body)
	if err != nil || v.Kind != wire.Object {
		return nil, errBody
	}
	var pairs []pair
	for _, m := range v.Members {
		value := m.Value.Text // "" for null
		switch m.Value.Kind {
		case wire.Number:
			value = numeral(m.Name, value)
		case wire.Array, wire.Object:
			value = unreadable
		case wire.Null, wire.Bool, wire.String:
		}
		pairs = append(pairs, pair{m.Name, value})
	}
	return pairs, nil
}

// numeral returns what a JSON number says for the parameter name. Programs write
// 4915123456789 as 4915123456789.0 or 4.915123456789e12 too. The rules for phone
// numbers and codes know digits only: without its point, that would be somebody
// else's number.
func numeral(name, literal string) string {
	isPhone := wire.EqualFold(name, "number")
	if !isPhone && !wire.EqualFold(name, "otpCode") || !strings.ContainsAny(literal, ".eE") {
		return literal
	}
	d, _ := wire.ParseDecimal(literal)
	text, ok := d.Plain()
	if !ok || isPhone && strings.Contains(text, ".") {
		return unreadable
	}
	return text
}
