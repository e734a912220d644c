package httpsubmit

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"os"
)

// KeyError says which key of a carrier's configuration is wrong.
type KeyError struct {
	Key string // as the configuration names it, such as "url"
	Err error  // what is wrong; it never holds a secret
}

// Error returns "key: what is wrong".
func (e *KeyError) Error() string { return e.Key + ": " + e.Err.Error() }

// Unwrap returns what is wrong.
func (e *KeyError) Unwrap() error { return e.Err }

var (
	errCertificate = errors.New("holds no certificate in PEM")
	errAlone       = errors.New("is missing beside the other of certificate and key")
)

// LoadTLS reads the files that the keys tls_ca_file, tls_cert_file and
// tls_key_file name; "" is none. Its error is a KeyError. It returns nil if no
// file is named.
func LoadTLS(caFile, certFile, keyFile string) (*tls.Config, error) {
	if caFile == "" && certFile == "" && keyFile == "" {
		return nil, nil //nolint:nilnil // nothing is configured
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if caFile != "" {
		pem, err := os.ReadFile(caFile) //nolint:gosec // the operator names it
		if err != nil {
			return nil, &KeyError{"tls_ca_file", err}
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &KeyError{"tls_ca_file", errCertificate}
		}
	}
	switch {
	case certFile == "" && keyFile == "":
		return c, nil
	case certFile == "":
		return nil, &KeyError{"tls_cert_file", errAlone}
	case keyFile == "":
		return nil, &KeyError{"tls_key_file", errAlone}
	}
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		return nil, &KeyError{"tls_cert_file", err}
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
