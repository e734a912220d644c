package tyntecv1

// Decode is decode, for the tests of this package.
func Decode(names []string, query, contentType string, body []byte) (map[string]string, error) {
	return decode(names, query, contentType, body)
}

// Unreadable is what stands for a value that is no text.
const Unreadable = unreadable

// IsLanguage is isLanguage.
func IsLanguage(code string) bool { return isLanguage(code) }
