// Package netfault tells apart why an exchange over the network failed, for
// those who must not keep the error itself: errors of net/http hold URLs and
// addresses (P-02). It also reads when to try again.
package netfault

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
)

// IsTLS reports whether the handshake failed: the certificate is not trusted,
// or the peer spoke no TLS.
func IsTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.AlertError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}
