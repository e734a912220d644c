package message

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

var errTemplateJSON = errors.New("template is not an array of strings and zeros")

// MarshalJSON returns the stored form: an array in which a string is literal
// text and the number 0 is the code, such as ["ACME code ",0,", valid 3 min."].
// Empty text is left out; the empty template is [].
func (t Template) MarshalJSON() ([]byte, error) {
	pieces := make([]any, 0, 2*len(t.literals))
	for i, literal := range t.literals {
		if i > 0 {
			pieces = append(pieces, 0)
		}
		if literal != "" {
			pieces = append(pieces, literal)
		}
	}
	b, err := json.Marshal(pieces)
	if err != nil {
		return nil, fmt.Errorf("encode template: %w", err)
	}
	return b, nil
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
