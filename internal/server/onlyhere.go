package server

import (
	"errors"
	"net/netip"
	"syscall"

	"github.com/countersign/countersign/internal/config"
)

// errReachable: a name that stands for this machine, such as localhost, has an
// address that others may reach: a resolver may answer for it, where no hosts
// file does.
var errReachable = errors.New("others may reach it there")

// onlyHere returns what looks at the address that a configured one was resolved
// to, before it is listened on. What counts as reached from this machine only
// goes without a password or TLS, and profiles (S-01): it has to be.
func onlyHere(configured string) func(network, address string, c syscall.RawConn) error {
	if !config.Loopback(configured) {
		return nil
	}
	return func(_, address string, _ syscall.RawConn) error {
		at, err := netip.ParseAddrPort(address)
		if err != nil || !at.Addr().Unmap().IsLoopback() {
			return errReachable
		}
		return nil
	}
}
