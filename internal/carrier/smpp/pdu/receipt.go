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
