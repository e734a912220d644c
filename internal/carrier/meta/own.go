package meta

// ownCause reports whether an error of class Config tells only of what a
// message asked for: its template, or its business number or WhatsApp account
// if others are configured too. Then it is no reason to keep the carrier from
// the messages of others.
func (s *settled) ownCause(to addressed, p problem) bool {
	several := len(s.Accounts) > 1
	switch p.Code {
	case codeParameter:
		if p.Subcode == subcodeNoObject {
			return several || len(to.account.Numbers) > 1
		}
		return true
	case 131008, 131009, codeNoTemplate, 132000, 132005, 132007, 132012, codePaused, codeDisabled:
		return true // the template and its parameters
	case 33, 131037, 131045, codeSpamLimit, 133010:
		return several || len(to.account.Numbers) > 1 // the number
	case 368, 131031, 131042, 134011:
		return several // the account
	}
	return several && to.account.Token != s.Token // else the access token
}
