package wire

import (
	"errors"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth is how deep arrays and objects may be nested to be read: no API here
// needs more than six levels, and each level costs stack. What is deeper is
// passed over: a member that nobody knows may hold anything.
const maxDepth = 64

// usualMembers is how many members the outermost object has room for at first:
// most bodies have no more.
const usualMembers = 4

// ErrJSON is returned for a text that is not JSON (RFC 8259) or not UTF-8. It
// does not quote the text.
var ErrJSON = errors.New("not JSON")

// Kind is what a JSON value is. The zero Kind is Null.
type Kind uint8

// The kinds of JSON value.
const (
	Null Kind = iota
	Bool
	Number
	String
	Array
	Object
)

// Value is a JSON value as it was written: numbers keep their literal text,
// objects keep the order of their members and those that come twice. Arrays and
// objects inside 64 others seem empty. The zero Value is null.
type Value struct {
	Kind    Kind
	Text    string   // of a String what it says, of a Number its literal, of a Bool its word
	Items   []Value  // of an Array
	Members []Member // of an Object
}

// Member is a name and its value in an object.
type Member struct {
	Name  string
	Value Value
}

// Last returns the last member with exactly this name, the zero Value if there
// is none.
func (v *Value) Last(name string) Value {
	if found := v.Find(name); found != nil {
		return *found
	}
	return Value{}
}

// Find is Last without a copy: nil if there is none.
func (v *Value) Find(name string) *Value {
	for i := len(v.Members) - 1; i >= 0; i-- {
		if m := &v.Members[i]; m.Name == name {
			return &m.Value
		}
	}
	return nil
}

// ParseJSON reads one JSON value and white space around it. A string with half
// a surrogate pair is an error: no UTF-8 text says that.
func ParseJSON(text []byte) (Value, error) {
	return parse(parser{text: string(text)})
}

// ParseLooseJSON is ParseJSON, but half a surrogate pair is read as U+FFFD: some
// programs write one where they cut a string.
func ParseLooseJSON(text []byte) (Value, error) {
	return parse(parser{text: string(text), loose: true})
}

func parse(p parser) (Value, error) {
	if !utf8.ValidString(p.text) {
		return Value{}, ErrJSON
	}
	v, ok := p.value()
	if !ok {
		return Value{}, ErrJSON
	}
	if p.blank(); p.at != len(p.text) {
		return Value{}, ErrJSON
	}
	return v, nil
}

type parser struct {
	text  string
	at    int
	depth int
	loose bool // half a surrogate pair is no error
}

// blank skips white space.
func (p *parser) blank() {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
}

// peek returns the next byte after white space, 0 at the end.
func (p *parser) peek() byte {
	p.blank()
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

// take skips white space and then c, if c is there.
func (p *parser) take(c byte) bool {
	if p.peek() != c || p.at == len(p.text) {
		return false
	}
	p.at++
	return true
}

func (p *parser) value() (Value, bool) {
	switch c := p.peek(); {
	case c == '{':
		return p.nested(Object)
	case c == '[':
		return p.nested(Array)
	case c == '"':
		text, ok := p.string()
		return Value{Kind: String, Text: text}, ok
	case c == '-' || isDigit(c):
		text, ok := p.number()
		return Value{Kind: Number, Text: text}, ok
	}
	for _, w := range []struct {
		word string
		kind Kind
	}{{"null", Null}, {"true", Bool}, {"false", Bool}} {
		if strings.HasPrefix(p.text[p.at:], w.word) {
			p.at += len(w.word)
			if w.kind == Null {
				return Value{}, true
			}
			return Value{Kind: w.kind, Text: w.word}, true
		}
	}
	return Value{}, false
}

// nested reads an array or object, whose opening bracket is next.
func (p *parser) nested(kind Kind) (Value, bool) {
	if p.depth == maxDepth {
		return Value{Kind: kind}, p.pass()
	}
	p.depth++
	end := closing(p.text[p.at])
	p.at++
	v := Value{Kind: kind}
	if p.take(end) {
		p.depth--
		return v, true
	}
	if kind == Object && p.depth == 1 {
		v.Members = make([]Member, 0, usualMembers)
	}
	for {
		var name string
		if kind == Object {
			var ok bool
			if name, ok = p.name(); !ok {
				return Value{}, false
			}
		}
		item, ok := p.value()
		if !ok {
			return Value{}, false
		}
		if kind == Object {
			v.Members = append(v.Members, Member{name, item})
		} else {
			v.Items = append(v.Items, item)
		}
		if p.take(',') {
			continue
		}
		p.depth--
		return v, p.take(end)
	}
}

// closing returns the bracket that ends what this one begins: ] comes two after
// [ in ASCII, and } after {.
func closing(bracket byte) byte { return bracket + 2 }

// name reads the name of a member and the colon after it.
func (p *parser) name() (string, bool) {
	if p.peek() != '"' {
		return "", false
	}
	name, ok := p.string()
	return name, ok && p.take(':')
}

// pass passes over an array or object, whose opening bracket is next, however
// deep it is: the brackets that are still to come are in a list and not on the
// stack.
func (p *parser) pass() bool {
	var ends []byte
	for {
		if c := p.peek(); c == '[' || c == '{' {
			p.at++
			if !p.take(closing(c)) {
				ends = append(ends, closing(c))
				if c == '{' && !p.passName() {
					return false
				}
				continue
			}
		} else if _, ok := p.value(); !ok { // not nested, so that it calls nothing back
			return false
		}
		for len(ends) > 0 && !p.take(',') {
			if !p.take(ends[len(ends)-1]) {
				return false
			}
			ends = ends[:len(ends)-1]
		}
		if len(ends) == 0 {
			return true
		}
		if ends[len(ends)-1] == '}' && !p.passName() {
			return false
		}
	}
}

func (p *parser) passName() bool {
	_, ok := p.name()
	return ok
}

// number reads a number, whose first character is next.
func (p *parser) number() (string, bool) {
	start := p.at
	p.skip("-")
	if !p.skip("0") && !p.digits() {
		return "", false
	}
	if p.skip(".") && !p.digits() {
		return "", false
	}
	if p.skip("eE") {
		p.skip("+-")
		if !p.digits() {
			return "", false
		}
	}
	return p.text[start:p.at], true
}

// skip passes over the next byte if it is one of set.
func (p *parser) skip(set string) bool {
	if p.at == len(p.text) || strings.IndexByte(set, p.text[p.at]) < 0 {
		return false
	}
	p.at++
	return true
}

// digits passes over one digit or more.
func (p *parser) digits() bool {
	start := p.at
	for p.at < len(p.text) && isDigit(p.text[p.at]) {
		p.at++
	}
	return p.at > start
}

// string reads a string, whose opening quote is next.
func (p *parser) string() (string, bool) {
	p.at++
	start := p.at
	for p.at < len(p.text) && p.text[p.at] != '"' && p.text[p.at] != '\\' && p.text[p.at] >= ' ' {
		p.at++
	}
	if p.at < len(p.text) && p.text[p.at] == '"' {
		p.at++
		return p.text[start : p.at-1], true
	}
	return p.escaped(p.text[start:p.at])
}

// escaped reads the rest of a string after its first escape; read is before it.
func (p *parser) escaped(read string) (string, bool) {
	var b strings.Builder
	b.WriteString(read)
	for p.at < len(p.text) {
		c := p.text[p.at]
		p.at++
		switch {
		case c == '"':
			return b.String(), true
		case c < ' ':
			return "", false
		case c != '\\':
			b.WriteByte(c)
		default:
			r, ok := p.escape()
			if !ok {
				return "", false
			}
			b.WriteRune(r)
		}
	}
	return "", false
}

// escape reads what follows a backslash.
func (p *parser) escape() (rune, bool) {
	if p.at == len(p.text) {
		return 0, false
	}
	c := p.text[p.at]
	p.at++
	if c == 'u' {
		return p.unicode()
	}
	i := strings.IndexByte(`"\/bfnrt`, c)
	if i < 0 {
		return 0, false
	}
	return rune("\"\\/\b\f\n\r\t"[i]), true
}

// unicode reads what follows \u, with the second half of a surrogate pair.
func (p *parser) unicode() (rune, bool) {
	r, ok := p.hex()
	if !ok || !utf16.IsSurrogate(r) {
		return r, ok
	}
	behind := p.at
	if strings.HasPrefix(p.text[p.at:], `\u`) {
		p.at += 2
		low, ok := p.hex()
		if !ok {
			return 0, false
		}
		if r = utf16.DecodeRune(r, low); r != utf8.RuneError {
			return r, true
		}
	}
	p.at = behind // what follows half a pair stands for itself
	return utf8.RuneError, p.loose
}

// hex reads four hexadecimal digits.
func (p *parser) hex() (rune, bool) {
	if len(p.text)-p.at < 4 {
		return 0, false
	}
	n, err := strconv.ParseUint(p.text[p.at:p.at+4], 16, 16)
	if err != nil {
		return 0, false
	}
	p.at += 4
	return rune(n), true
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
