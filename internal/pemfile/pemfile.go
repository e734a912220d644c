// Package pemfile reads the certificates and keys that settings name by the path
// of a PEM file. Which setting names them is left to its callers.
package pemfile

import (
	"errors"
	"io/fs"
	"os"
	"strings"
)

// ErrInPlace is returned for a path that is no path but what its file would hold.
var ErrInPlace = errors.New("is the PEM itself; expected the path of its file")

// ErrLineBreak is returned for a path that ends with a line break, as values of
// files with DOS lines do.
var ErrLineBreak = errors.New("ends with a line break; expected the path of its file alone")

// Read returns what the file holds. Its errors never repeat the path: where
// somebody put a private key in its place, they would print the key.
func Read(path string) ([]byte, error) {
	if strings.ContainsAny(strings.TrimRight(path, "\r\n"), "\r\n") || strings.Contains(path, "-----BEGIN") {
		return nil, ErrInPlace
	}
	if strings.ContainsAny(path, "\r\n") {
		return nil, ErrLineBreak
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if wrong, ok := errors.AsType[*fs.PathError](err); ok {
		return nil, wrong.Err
	}
	return text, err //nolint:wrapcheck // the caller says of which setting
}
