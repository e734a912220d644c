package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
)

var errTemplateJSON = errors.New("template is not an array of strings and zeros")

// MarshalJSON returns the stored form: an array in which a string is literal
// text and the number 0 is the code, such as ["ACME code ",0,", valid 3 min."].
// Empty text is left out; the empty template is [].
func (t Template) MarshalJSON() ([]byte, error) { return t.AppendJSON(nil), nil }

// AppendJSON appends what [Template.MarshalJSON] returns.
func (t Template) AppendJSON(b []byte) []byte {
	b = append(b, '[')
	first := true
	comma := func() {
		if !first {
			b = append(b, ',')
		}
		first = false
	}
	for i, literal := range t.literals {
		if i > 0 {
			comma()
			b = append(b, '0')
		}
		if literal != "" {
			comma()
			b = AppendJSONString(b, literal)
		}
	}
	return append(b, ']')
}

// AppendJSONString appends s as encoding/json writes it, but quickly if s is
// ASCII without anything to escape.
func AppendJSONString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			escaped, _ := json.Marshal(s) //nolint:errchkjson // a string never fails
			return append(b, escaped...)
		}
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

// UnmarshalJSON reads the form that [Template.MarshalJSON] writes; neighbouring
// strings are joined. Anything else, null included, is an error that does not
// quote the text, and leaves t as it was.
func (t *Template) UnmarshalJSON(data []byte) error {
	var pieces []json.RawMessage
	if err := json.Unmarshal(data, &pieces); err != nil || pieces == nil {
		return errTemplateJSON
	}
	var read Template
	var literal strings.Builder
	for _, piece := range pieces {
		piece = bytes.TrimSpace(piece)
		if string(piece) == "0" {
			read.literals = append(read.literals, literal.String())
			literal.Reset()
			continue
		}
		if len(piece) == 0 || piece[0] != '"' {
			return errTemplateJSON
		}
		var text string
		if err := json.Unmarshal(piece, &text); err != nil {
			return errTemplateJSON
		}
		literal.WriteString(text)
	}
	read.literals = append(read.literals, literal.String())
	*t = read
	return nil
}
