package octopush

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/countersign/countersign/internal/api/wire"
)

// parseBody reads a body whatever it is labelled as: a body that begins with a
// brace or bracket, or that is some other JSON value as a whole, is JSON;
// anything else is a form. False if there is no object in it. Bytes that are not
// UTF-8 become U+FFFD, and so does half a surrogate pair.
func parseBody(body []byte) (wire.Value, bool) {
	body = bytes.TrimSpace(bytes.TrimPrefix(body, []byte("\uFEFF")))
	if len(body) == 0 {
		return wire.Value{}, false
	}
	body = bytes.ToValidUTF8(body, []byte("\uFFFD"))
	v, err := wire.ParseLooseJSON(body)
	if err == nil {
		return v, v.Kind == wire.Object
	}
	if body[0] == '{' || body[0] == '[' {
		return wire.Value{}, false
	}
	return parseForm(string(body)), true
}

// parseForm reads a form as an object of strings. A pair that is not properly
// escaped is left out, as an unusable parameter is.
func parseForm(form string) wire.Value {
	object := wire.Value{Kind: wire.Object}
	for pair := range strings.SplitSeq(form, "&") {
		rawName, rawText, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			continue
		}
		text, err := url.QueryUnescape(rawText)
		if err != nil {
			continue
		}
		object.Members = append(object.Members, wire.Member{Name: name, Value: wire.Value{Kind: wire.String, Text: text}})
	}
	return object
}
