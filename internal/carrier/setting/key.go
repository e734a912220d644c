// Package setting is what the configurations of carriers have in common: the
// error that names a key, secrets that are printed hidden, and the files of TLS.
package setting

// KeyError says which key of a carrier's configuration is wrong.
type KeyError struct {
	Key string // as the configuration names it, such as "url"
	Err error  // what is wrong; it never holds a secret
}

// Error returns "key: what is wrong".
func (e *KeyError) Error() string { return e.Key + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *KeyError) Unwrap() error { return e.Err }
