package message

import (
	"unicode"
	"unicode/utf8"
)

// CutText returns t shortened so that, rendered with a code that takes codeLen
// code points (three times less two of them if it is spelled), it has at most
// limit code points. Only the text is cut, never the code (Octopush OTP §3.1):
// first the text after the last code, from its end; then the text before it,
// where a closing white space is kept so that the code stays apart; and so on
// towards the front. If the codes alone are too long, whole repetitions of the
// code are dropped; one always stays, even if it does not fit.
func (t Template) CutText(limit, codeLen int) Template {
	excess := t.Codes()*codeLen - limit
	for _, literal := range t.literals {
		excess += utf8.RuneCountInString(literal)
	}
	if excess <= 0 {
		return t
	}
	cut := make([]string, len(t.literals))
	copy(cut, t.literals)
	for i := len(cut) - 1; i >= 0 && excess > 0; i-- {
		before := utf8.RuneCountInString(cut[i])
		cut[i] = shorten(cut[i], max(before-excess, 0), i < len(cut)-1)
		excess -= before - utf8.RuneCountInString(cut[i])
	}
	if excess > 0 && codeLen > 0 { // every literal is empty by now
		codes := min(t.Codes(), max(limit/codeLen, 1))
		cut = cut[:codes+1]
	}
	return Template{literals: cut}
}

// shorten returns the first n code points of text, which has more. If keepSpace,
// the last of them is the white space that text ends in, if it does.
func shorten(text string, n int, keepSpace bool) string {
	last, size := utf8.DecodeLastRuneInString(text)
	if n > 1 && keepSpace && unicode.IsSpace(last) {
		return prefix(text, n-1) + text[len(text)-size:]
	}
	return prefix(text, n)
}

// prefix returns the first n code points of text.
func prefix(text string, n int) string {
	for at := range text {
		if n == 0 {
			return text[:at]
		}
		n--
	}
	return text
}
