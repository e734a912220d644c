package wire

import "github.com/google/uuid"

// CanonicalID returns s, a UUID in its plain form and any letter case, in lower
// case; false for anything else.
func CanonicalID(s string) (string, bool) {
	if len(s) != 36 { // the parser also takes other forms
		return "", false
	}
	id, err := uuid.Parse(s)
	if err != nil {
		return "", false
	}
	return id.String(), true
}
