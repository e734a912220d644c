package config

import "bytes"

// maxDepth is how deep tables and lists may stand inside each other, each name
// of a dotted key counted: the decoder goes as deep as the text does, and what
// is noted of a key grows with its depth. No setting is deeper than a few.
const maxDepth = 100

// tooDeep returns the line where a text goes below maxDepth, 0 if it does
// nowhere. It looks at brackets, dots and quotes only: what is no TOML the
// decoder refuses.
func tooDeep(text []byte) int {
	line, depth := 1, 0
	var inside []int // by open bracket: how deep what is inside begins
	begin := func() int {
		if len(inside) == 0 {
			return 0
		}
		return inside[len(inside)-1]
	}
	for len(text) > 0 {
		n := 1
		switch text[0] {
		case '#':
			n = upTo(text, '\n')
		case '"', '\'':
			n = quotedLength(text)
			line += bytes.Count(text[:n], []byte{'\n'})
		case '[', '{':
			depth++
			inside = append(inside, depth)
		case ']', '}':
			inside = inside[:max(len(inside)-1, 0)]
		case '.':
			depth++
		case '\n':
			line++
			depth = begin()
		case ',':
			depth = begin()
		}
		if depth > maxDepth {
			return line
		}
		text = text[n:]
	}
	return 0
}

// upTo returns how many bytes of a text come before c.
func upTo(text []byte, c byte) int {
	if n := bytes.IndexByte(text, c); n >= 0 {
		return n
	}
	return len(text)
}

// quotedLength returns the length of the string that a text begins with, its
// quotes included. One that is not closed ends with its line or, where it may
// have several, with the text.
func quotedLength(text []byte) int {
	quote, several := text[:1], false
	if triple := bytes.Repeat(quote, 3); bytes.HasPrefix(text, triple) {
		quote, several = triple, true
	}
	for i := len(quote); i < len(text); i++ {
		switch {
		case bytes.HasPrefix(text[i:], quote):
			i += len(quote)
			for two := i + 2; several && i < min(two, len(text)) && text[i] == quote[0]; i++ { // the last ones are in the string
				continue
			}
			return i
		case text[i] == '\\' && quote[0] == '"':
			if several || i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		case text[i] == '\n' && !several:
			return i
		}
	}
	return len(text)
}
