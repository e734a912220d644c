package message

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Template is a text with places where the code goes. It is neutral: the
// placeholders of the dialect it was written in are resolved. It holds no code,
// so it may be printed and stored. The zero Template is the empty text.
//
// A Template is never changed after it was made; it may be shared.
type Template struct {
	// literals are the texts around the code: the code stands between each
	// literal and the next, so there is one literal more than codes. It is
	// nil in the zero Template.
	literals []string
}

// Placeholder is one token of a dialect and what it stands for.
type Placeholder struct {
	Token string // matched exactly; one that is empty or not UTF-8 never matches
	Code  bool   // the token stands for the code, and Value is ignored
	Value string // inserted as it is; never searched for tokens
}

// Parse resolves the placeholders in one pass over text. Where several tokens
// match, the longest wins, and among equal tokens the first. What is not a
// token stays as it is. Bytes that are not UTF-8 become U+FFFD.
func Parse(text string, placeholders []Placeholder) Template {
	text = strings.ToValidUTF8(text, "\uFFFD")
	t := Template{literals: make([]string, 0, 2)} // nearly every text has one code
	firsts := firstCharacters(placeholders)
	literal := "" // between the last code and start
	start := 0    // of the text not yet taken
	for at := 0; ; {
		next := strings.IndexAny(text[at:], firsts)
		if next < 0 {
			break
		}
		at += next
		p, found := longest(text[at:], placeholders)
		if !found {
			at++
			continue
		}
		literal += text[start:at]
		at += len(p.Token)
		start = at
		if p.Code {
			t.literals = append(t.literals, literal)
			literal = ""
		} else {
			literal += strings.ToValidUTF8(p.Value, "\uFFFD")
		}
	}
	t.literals = append(t.literals, literal+text[start:])
	return t
}

// firstCharacters returns the characters that tokens begin with.
func firstCharacters(placeholders []Placeholder) string {
	all := ""
	for _, p := range placeholders {
		_, size := utf8.DecodeRuneInString(p.Token)
		if first := p.Token[:size]; utf8.ValidString(p.Token) && !strings.Contains(all, first) {
			all += first
		}
	}
	return all
}

// longest returns the placeholder with the longest token that text begins with.
func longest(text string, placeholders []Placeholder) (best Placeholder, found bool) {
	for _, p := range placeholders {
		if len(p.Token) > len(best.Token) && strings.HasPrefix(text, p.Token) && utf8.ValidString(p.Token) {
			best, found = p, true
		}
	}
	return best, found
}

// Codes returns how often the code occurs.
func (t Template) Codes() int {
	return max(len(t.literals)-1, 0)
}

// EnsureCode returns t if the code occurs in it. Otherwise it appends the code,
// after one blank unless t is empty or ends in white space (Octopush OTP §3.1).
func (t Template) EnsureCode() Template {
	if t.Codes() > 0 {
		return t
	}
	text := t.String()
	if last, _ := utf8.DecodeLastRuneInString(text); text != "" && !unicode.IsSpace(last) {
		text += " "
	}
	return Template{literals: []string{text, ""}}
}

// Style is how the characters of a code are written into a text.
type Style int

const (
	// Plain inserts the code as it is.
	Plain Style = iota
	// Spelled joins the code points of the code by ", ", so that a voice
	// speaks each by itself (contract v4 §9).
	Spelled
)

// Render returns the text with the code in it. The code is inserted literally,
// whatever it contains.
func (t Template) Render(code string, style Style) string {
	if style == Spelled {
		code = spell(code)
	}
	return strings.Join(t.literals, code)
}

// spell joins the code points of the code by ", ".
func spell(code string) string {
	return strings.Join(strings.Split(code, ""), ", ")
}

// String returns the text with "{code}" where the code goes, for people. It is
// no format to parse: use the JSON form for that.
func (t Template) String() string {
	return t.Render("{code}", Plain)
}
