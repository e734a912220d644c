package postgres

import (
	"encoding/hex"
	"strconv"
)

// textInput writes the array as text: where parameters go as text, there is
// nothing else (see textual).
type textInput struct{ text []byte }

func (i *textInput) row() {
	if len(i.text) == 0 {
		i.text = append(i.text, `{"(`...)
		return
	}
	i.text[len(i.text)-1] = ')' // in place of the comma behind the last field
	i.text = append(i.text, `","(`...)
}

func (i *textInput) argument() any {
	if len(i.text) == 0 {
		return "{}"
	}
	i.text[len(i.text)-1] = ')'
	return string(append(i.text, `"}`...))
}

func (i *textInput) int2(n int) { i.int8(int64(n)) }

func (i *textInput) int4(n int) { i.int8(int64(n)) }

func (i *textInput) int8(n int64) { i.text = append(strconv.AppendInt(i.text, n, 10), ',') }

func (i *textInput) bool(b bool) {
	if b {
		i.text = append(i.text, "t,"...)
		return
	}
	i.text = append(i.text, "f,"...)
}

func (i *textInput) bytes(b []byte) {
	if b != nil {
		i.text = append(i.text, `\\\\x`...) // a backslash, once for the value and once for the array
		i.text = hex.AppendEncode(i.text, b)
	}
	i.text = append(i.text, ',')
}

// A text is quoted for the value and again for the array.
func (i *textInput) string(s string) {
	i.text = append(i.text, `\"`...)
	from := 0
	for at := range len(s) {
		var quoted string
		switch s[at] {
		case '"':
			quoted = `\"\"`
		case '\\':
			quoted = `\\\\`
		default:
			continue
		}
		i.text = append(append(i.text, s[from:at]...), quoted...)
		from = at + 1
	}
	i.text = append(append(i.text, s[from:]...), `\",`...)
}

func (i *textInput) optional(s string) {
	if s == "" {
		i.text = append(i.text, ',')
		return
	}
	i.string(s)
}
