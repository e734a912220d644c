package pdu

import "strings"

// State is a message_state (SMPP 3.4 §5.2.28). The zero State is none.
type State uint8

// The states of a message.
const (
	Enroute State = iota + 1
	Delivered
	Expired
	Deleted
	Undeliverable
	Accepted
	Unknown
	Rejected
)

// stateNames are as receipts write them (SMPP 3.4 appendix B), by State.
const stateNames = "ENROUTEDELIVRDEXPIREDDELETEDUNDELIVACCEPTDUNKNOWNREJECTD"

// stateNameLength is that of every one of them.
const stateNameLength = 7

// String returns the state as receipts write it, "DELIVRD", or "" for one that
// the standard does not know.
func (s State) String() string {
	if s < Enroute || s > Rejected {
		return ""
	}
	end := int(s) * stateNameLength
	return stateNames[end-stateNameLength : end]
}

// ParseState reads what String returns, in any letter case; 0 for anything else.
func ParseState(name string) State {
	for s := Enroute; s <= Rejected; s++ {
		if strings.EqualFold(name, s.String()) {
			return s
		}
	}
	return 0
}

// Receipt is what the text of a delivery receipt tells.
type Receipt struct {
	ID   string // "" if it has none
	Stat string // as written, such as "DELIVRD"; "" if it has none
	Err  string // the network's error, as written; "" if it has none
}

// maxReceiptValue bounds each value of a receipt's text, in octets.
const maxReceiptValue = messageIDSize - 1

// ParseReceipt reads the text of a receipt (SMPP 3.4 appendix B): keys in any
// letter case and order, any of them missing, anything between them. What
// follows "text:" is the sender's and not looked at. A value ends at the first
// blank; one that is too long to be one is dropped.
func ParseReceipt(text string) Receipt {
	var r Receipt
	for text != "" {
		var first string
		first, text = cutWord(text)
		key, value, found := strings.Cut(first, ":")
		if !found {
			continue
		}
		if value == "" && !strings.EqualFold(key, "text") { // "id: 17", as some write it
			if next, rest := cutWord(text); !strings.Contains(next, ":") {
				value, text = next, rest
			}
		}
		if len(value) > maxReceiptValue {
			value = ""
		}
		switch {
		case strings.EqualFold(key, "text"):
			return r
		case strings.EqualFold(key, "id") && r.ID == "":
			r.ID = value
		case strings.EqualFold(key, "stat") && r.Stat == "":
			r.Stat = value
		case strings.EqualFold(key, "err") && r.Err == "":
			r.Err = value
		}
	}
	return r
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
