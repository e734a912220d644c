package setting

import (
	"crypto/tls"
	"crypto/x509"
	"errors"

	"github.com/countersign/countersign/internal/pemfile"
)

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
		pem, err := pemfile.Read(caFile)
		if err != nil {
			return nil, &KeyError{Key: "tls_ca_file", Err: err}
		}
		if c.RootCAs = x509.NewCertPool(); !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, &KeyError{Key: "tls_ca_file", Err: errCertificate}
		}
	}
	switch {
	case certFile == "" && keyFile == "":
		return c, nil
	case certFile == "":
		return nil, &KeyError{Key: "tls_cert_file", Err: errAlone}
	case keyFile == "":
		return nil, &KeyError{Key: "tls_key_file", Err: errAlone}
	}
	cert, err := pemfile.Read(certFile)
	if err != nil {
		return nil, &KeyError{Key: "tls_cert_file", Err: err}
	}
	key, err := pemfile.Read(keyFile)
	if err != nil {
		return nil, &KeyError{Key: "tls_key_file", Err: err}
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, &KeyError{Key: "tls_cert_file", Err: err}
	}
	c.Certificates = []tls.Certificate{pair}
	return c, nil
}
