package request

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

var errPointer = errors.New(`is no JSON pointer; expected one such as "/messages/0/id"`)

// pointer is a way into a JSON document (RFC 6901); nil for none.
type pointer []string

// parsePointer reads a pointer. "" is none: the whole document is no value here.
func parsePointer(text string) (pointer, error) {
	if text == "" {
		return nil, nil
	}
	rest, ok := strings.CutPrefix(text, "/")
	if !ok || !utf8.ValidString(text) {
		return nil, errPointer
	}
	p := pointer(strings.Split(rest, "/"))
	for i, step := range p {
		if strings.Contains(strings.NewReplacer("~0", "", "~1", "").Replace(step), "~") {
			return nil, errPointer
		}
		p[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(step)
	}
	return p, nil
}

// in returns the text, number or truth value that p leads to.
func (p pointer) in(doc any) (string, bool) {
	if p == nil {
		return "", false
	}
	for _, step := range p {
		switch at := doc.(type) {
		case map[string]any:
			doc = at[step] // nil if it is not there
		case []any:
			i, err := strconv.ParseUint(step, 10, 31)
			if err != nil || step != strconv.FormatUint(i, 10) || i >= uint64(len(at)) {
				return "", false
			}
			doc = at[i]
		default:
			return "", false
		}
	}
	switch v := doc.(type) {
	case string:
		return v, true
	case json.Number:
		return v.String(), true
	case bool:
		return strconv.FormatBool(v), true
	}
	return "", false
}

// readJSON returns the only value of a JSON text, numbers as they are written;
// nil if it is none.
func readJSON(text []byte) any {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc any
	if d.Decode(&doc) != nil {
		return nil
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil
	}
	return doc
}

// readText returns the words of a plain text as a JSON list.
func readText(text []byte) any {
	words := strings.FieldsFunc(strings.ToValidUTF8(string(text), "\uFFFD"), func(r rune) bool {
		return unicode.IsSpace(r) || strings.ContainsRune(",;:|=", r)
	})
	list := make([]any, len(words))
	for i, word := range words {
		list[i] = word
	}
	return list
}

// maxRef is how long a reference may be.
const maxRef = 255

// isRef reports whether a text can be the reference of a message.
func isRef(text string) bool {
	return text != "" && len(text) <= maxRef && utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}
