// Package netfault tells apart why an exchange over the network failed, for
// those who must not keep the error itself: errors of net/http hold URLs and
// addresses (P-02). It also reads when to try again.
package netfault

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
)

// IsTLS reports whether TLS failed: the certificate is not trusted, the peer
// spoke no TLS, or one of the two ended it with an alert. It cannot know a
// handshake that the peer answered with a version or parameters that were not
// offered, or by hanging up: the errors of these have no type.
func IsTLS(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok {
		return true
	}
	// Alerts over TCP, received and sent; tls.AlertError is for QUIC only.
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "remote error" || op.Op == "local error") {
		return true
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.UnknownAuthorityError](err)
	return ok
}
