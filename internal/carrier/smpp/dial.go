package smpp

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"syscall"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/resolve"
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
	switch {
	case !s.TLS:
		return nil, nil //nolint:nilnil // no TLS
	case s.CertFile == "" && s.KeyFile != "":
		return nil, wrong("tls_cert_file", "is missing beside tls_key_file")
	case s.CertFile != "" && s.KeyFile == "":
		return nil, wrong("tls_key_file", "is missing beside tls_cert_file")
	}
	c, err := setting.LoadTLS(s.CAFile, s.CertFile, s.KeyFile)
	if err != nil {
		return nil, err //nolint:wrapcheck // a setting.KeyError
	}
	c = cmp.Or(c, &tls.Config{MinVersion: tls.VersionTLS12})
	c.ServerName = s.ServerName
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
		d := newNetDialer()
		if !s.TLS && !s.AllowPlaintext {
			d.Control = refusePublic
		}
		dial = d.DialContext
	}
	return &dialer{address: net.JoinHostPort(s.Host, strconv.Itoa(s.Port)), dial: dial, tls: secured}, nil
}

// newNetDialer returns what connects, also while a name server is down.
func newNetDialer() *net.Dialer { return &net.Dialer{Timeout: dialBound, Resolver: resolve.New()} }

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
