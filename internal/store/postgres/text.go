package postgres

import (
	"strings"
	"unicode/utf8"
)

// sought returns the arguments of a read. PostgreSQL holds UTF-8 without NUL
// and fails a statement that has any other text, where the other store finds
// nothing; so does this one: nothing equals NULL.
func sought(args []any) []any {
	for i, a := range args {
		s, ok := a.(string)
		if !ok || utf8.ValidString(s) && !strings.Contains(s, "\x00") {
			continue
		}
		args = append([]any(nil), args...)
		args[i] = nil
	}
	return args
}
