package smpp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strconv"
	"syscall"
	"time"
)

// dialBound is for the connection and the TLS handshake, each.
const dialBound = 10 * time.Second

// private reports whether what is sent to a stays on this machine or in a
// private network (RFC 1918, RFC 4193, RFC 3927).
func private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}

// tlsConfig reads the files; nil without TLS.
func (s *settled) tlsConfig() (*tls.Config, error) {
	if !s.TLS {
		return nil, nil //nolint:nilnil // no TLS
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.ServerName}
	if s.CAFile != "" {
		pem, err := os.ReadFile(s.CAFile)
		if err != nil {
			return nil, wrong("tls_ca_file", "%w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, wrong("tls_ca_file", "holds no certificate in PEM")
		}
	}
	switch {
	case s.CertFile == "" && s.KeyFile == "":
		return c, nil
	case s.CertFile == "":
		return nil, wrong("tls_cert_file", "is missing beside tls_key_file")
	case s.KeyFile == "":
		return nil, wrong("tls_key_file", "is missing beside tls_cert_file")
	}
	own, err := tls.LoadX509KeyPair(s.CertFile, s.KeyFile)
	if err != nil {
		return nil, wrong("tls_cert_file", "%w", err)
	}
	c.Certificates = []tls.Certificate{own}
	return c, nil
}

// dialer opens connections to the message centre.
type dialer struct {
	address string
	dial    func(ctx context.Context, network, address string) (net.Conn, error)
	tls     *tls.Config // nil: none
}

func newDialer(s *settled, dial func(ctx context.Context, network, address string) (net.Conn, error)) (*dialer, error) {
	secured, err := s.tlsConfig()
	if err != nil {
		return nil, err
	}
	if dial == nil {
		d := &net.Dialer{Timeout: dialBound}
		if !s.TLS && !s.AllowPlaintext {
			d.Control = refusePublic
		}
		dial = d.DialContext
	}
	return &dialer{address: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), dial: dial, tls: secured}, nil
}

// refusePublic looks at the resolved address, before anything is sent to it.
func refusePublic(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !private(at.Addr()) {
		return errPlaintext
	}
	return nil
}

func (d *dialer) open(ctx context.Context) (net.Conn, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, 2*dialBound, errDialBound)
	defer cancel()
	conn, err := d.dial(ctx, "tcp", d.address)
	if err != nil {
		return nil, fmt.Errorf("connect: %w", err)
	}
	if d.tls == nil {
		return conn, nil
	}
	secured := tls.Client(conn, d.tls)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("handshake of TLS: %w", err)
	}
	return secured, nil
}
