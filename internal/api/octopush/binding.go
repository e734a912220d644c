package octopush

import "strings"

// The account setting that says whether a validate must repeat the end user's
// address, and its value for clients that cannot (Octopush OTP §6 B13).
const (
	settingRecipientIP = "octopush.recipient_ip"
	ifPresent          = "if_present"
)

// bind returns what every check of the OTP must repeat, and what is kept of it
// so that a check may leave it out: nothing, unless the account lets it.
func bind(c *call) (binding, remembered string) {
	binding = c.in.text("recipient_ip")
	if settings.Of(c.account, settingRecipientIP) == ifPresent {
		remembered = binding
	}
	return binding, remembered
}

// reference is what this facade keeps with an OTP.
type reference struct {
	ticket  string
	address string // that a check may leave out; "" for none
}

// String returns the form that parseReference reads.
func (r reference) String() string {
	if r.address == "" {
		return r.ticket
	}
	return r.ticket + " " + r.address
}

func parseReference(s string) reference {
	ticket, address, _ := strings.Cut(s, " ")
	return reference{ticket, address}
}
