package callback

import (
	"errors"
	"net"

	"github.com/countersign/countersign/internal/netfault"
)

// Problems: why an attempt got no answer. Errors of net/http hold URLs and
// addresses, so these words are all that is kept and logged (P-02).
const (
	ProblemTimeout    = "timeout"    // no connection or no answer in time
	ProblemAddress    = "address"    // the guard refused the address
	ProblemName       = "name"       // the host name did not resolve
	ProblemConnect    = "connect"    // no connection
	ProblemTLS        = "tls"        // the handshake failed or the certificate is not trusted
	ProblemConnection = "connection" // it broke, or what came was no HTTP answer
	ProblemURL        = "url"        // the URL is none, or http while https is required
	ProblemSealed     = "sealed"     // the secret or headers cannot be opened with today's keys
	ProblemRequest    = "request"    // the request cannot be written, such as for a header's bytes
)

// problemOf names what kept a request from being answered.
func problemOf(err error) string {
	switch {
	case errors.Is(err, ErrAddress):
		return ProblemAddress
	case errors.Is(err, ErrURL), errors.Is(err, ErrHTTPS):
		return ProblemURL
	case netfault.IsTLS(err):
		return ProblemTLS
	case errors.Is(err, errAttemptTimeout), netfault.IsTimeout(err):
		return ProblemTimeout
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return ProblemName
	}
	if op, ok := errors.AsType[*net.OpError](err); ok && op.Op == "dial" {
		return ProblemConnect
	}
	return ProblemConnection
}
