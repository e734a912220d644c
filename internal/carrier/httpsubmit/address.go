package httpsubmit

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"

	"github.com/countersign/countersign/internal/resolve"
)

// ErrAddress is what Options.Dial returns, or wraps, for an address that must
// not be connected to. It ends a request with Config, not Retry, as the
// operator must act.
var ErrAddress = errors.New("the address is not allowed")

// Dialer returns a function for Options.Dial that asks allowed about each
// address once it is resolved and before anything is sent to it. Those that
// allowed refuses are ErrAddress.
func Dialer(allowed func(netip.Addr) bool) func(ctx context.Context, network, addr string) (net.Conn, error) {
	d := &net.Dialer{
		Timeout:  connectTimeout,
		Resolver: resolve.New(),
		Control: func(_, address string, _ syscall.RawConn) error {
			at, err := netip.ParseAddrPort(address)
			if err != nil || !allowed(at.Addr().Unmap()) {
				return ErrAddress
			}
			return nil
		},
	}
	return d.DialContext
}

// Private reports whether an address is loopback, private or link-local, so
// that plain text to it does not cross the internet.
func Private(a netip.Addr) bool {
	a = a.Unmap()
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast()
}
