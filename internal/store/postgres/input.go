package postgres

import (
	"encoding/hex"
	"strconv"
)

// input writes an array of composite values as PostgreSQL reads it: what a
// group's statement is told of each of its callers, as one argument.
type input struct{ text []byte }

// row begins the next value.
func (i *input) row() {
	if len(i.text) == 0 {
		i.text = append(i.text, `{"(`...)
		return
	}
	i.text[len(i.text)-1] = ')' // in place of the comma behind the last field
	i.text = append(i.text, `","(`...)
}

// String is the array.
func (i *input) String() string {
	if len(i.text) == 0 {
		return "{}"
	}
	i.text[len(i.text)-1] = ')'
	return string(append(i.text, `"}`...))
}

func (i *input) int(n int64) { i.text = append(strconv.AppendInt(i.text, n, 10), ',') }

func (i *input) bool(b bool) {
	if b {
		i.text = append(i.text, "t,"...)
		return
	}
	i.text = append(i.text, "f,"...)
}

// bytes writes a BYTEA, NULL for nil.
func (i *input) bytes(b []byte) {
	if b != nil {
		i.text = append(i.text, `\\\\x`...) // a backslash, once for the value and once for the array
		i.text = hex.AppendEncode(i.text, b)
	}
	i.text = append(i.text, ',')
}

// string writes a text, quoted for the value and again for the array.
func (i *input) string(s string) {
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

// optional is string with NULL for "".
func (i *input) optional(s string) {
	if s == "" {
		i.text = append(i.text, ',')
		return
	}
	i.string(s)
}
