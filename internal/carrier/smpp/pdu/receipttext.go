package pdu

import (
	"cmp"
	"strings"
)

// Receipt is what the text of a delivery receipt tells.
type Receipt struct {
	ID   string // "" if it has none
	Stat string // as written, such as "DELIVRD"; "" if it has none
	Err  string // the network's error, as written; "" if it has none
}

// maxReceiptValue bounds each value of a receipt's text, in octets.
const maxReceiptValue = messageIDSize - 1

// ParseReceipt reads the text of a receipt (SMPP 3.4 appendix B): keys in any
// letter case and order, any of them missing, anything between them. A value ends
// at the first blank; one that is too long to be one is dropped.
//
// What follows "text:" is the sender's, who may have written keys too. So what
// stands before it goes first; only what is missing there is looked for behind
// it, in what the text ends with: words with a colon, the last of a key, and no
// state but the standard's.
func ParseReceipt(text string) Receipt {
	var before, behind Receipt
	sender := false // what the sender wrote has begun
	for text != "" {
		var key, value string
		key, value, text = cutField(text)
		switch {
		case strings.EqualFold(key, "text"):
			sender, behind = true, Receipt{}
		case !sender:
			before.keepFirst(key, value)
		case key == "":
			behind = Receipt{} // in the middle of the sender's words
		case !strings.EqualFold(key, "stat") || ParseState(value) != 0:
			behind.keepLast(key, value)
		}
	}
	return Receipt{
		ID: cmp.Or(before.ID, behind.ID), Stat: cmp.Or(before.Stat, behind.Stat), Err: cmp.Or(before.Err, behind.Err),
	}
}

// field returns what a key's value is kept in, nil for a key of no interest.
func (r *Receipt) field(key string) *string {
	switch {
	case strings.EqualFold(key, "id"):
		return &r.ID
	case strings.EqualFold(key, "stat"):
		return &r.Stat
	case strings.EqualFold(key, "err"):
		return &r.Err
	}
	return nil
}

func (r *Receipt) keepFirst(key, value string) {
	if f := r.field(key); f != nil && *f == "" {
		*f = value
	}
}

func (r *Receipt) keepLast(key, value string) {
	if f := r.field(key); f != nil && value != "" {
		*f = value
	}
}

// cutField returns the key and value of the first word of text, and what follows
// them; no key for a word without a colon.
func cutField(text string) (key, value, rest string) {
	first, rest := cutWord(text)
	key, value, found := strings.Cut(first, ":")
	switch {
	case !found:
		if next, _ := cutWord(rest); isDate(first, next) {
			return first, "", rest // "submit date:2611220034" is one key
		}
		return "", "", rest
	case value == "" && !strings.EqualFold(key, "text"): // "id: 17", as some write it
		if next, after := cutWord(rest); !strings.Contains(next, ":") {
			value, rest = next, after
		}
	}
	if len(value) > maxReceiptValue {
		value = ""
	}
	return key, value, rest
}

// isDate reports whether two words begin one of the keys that have a blank.
func isDate(word, next string) bool {
	return (strings.EqualFold(word, "submit") || strings.EqualFold(word, "done")) && len(next) >= len("date:") && strings.EqualFold(next[:len("date:")], "date:")
}

// blanks end a word.
const blanks = " \t\r\n\x00"

// cutWord returns the first word of text and what follows it.
func cutWord(text string) (first, rest string) {
	text = strings.TrimLeft(text, blanks)
	if end := strings.IndexAny(text, blanks); end >= 0 {
		return text[:end], text[end:]
	}
	return text, ""
}
