package callback

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
)

// Errors of the guard. None holds any part of a URL or an address.
var (
	// ErrAddress: the address is in a range that callbacks must not reach.
	ErrAddress = errors.New("address not allowed")
	// ErrURL: not an absolute http or https URL with a host.
	ErrURL = errors.New("not an http or https URL with a host")
	// ErrHTTPS: the URL is http while https is required.
	ErrHTTPS = errors.New("https is required")
)

// GuardConfig says what a Guard lets through. The zero value lets through
// public addresses only.
type GuardConfig struct {
	// AllowNets are networks that may be reached though refused by default.
	// Each opens itself and nothing else (W-03). Link-local networks and cloud
	// metadata are opened only by a network that lies within them: 0.0.0.0/0
	// does not.
	AllowNets []netip.Prefix
	// AllowPrivate opens loopback and private addresses on any port.
	AllowPrivate bool
	// RequireHTTPS refuses http URLs.
	RequireHTTPS bool
}

// Guard decides which addresses callbacks may reach. It is safe for
// concurrent use.
type Guard struct {
	allowed  ranges
	narrow   ranges // those of allowed that lie within metadata
	metadata ranges
	private  ranges
	special  ranges
	global   ranges

	allowPrivate bool
	requireHTTPS bool
}

// NewGuard returns a guard.
func NewGuard(c GuardConfig) *Guard {
	g := &Guard{
		metadata: metadataRanges(), private: privateRanges(), special: specialRanges(), global: globalUnicast(),
		allowPrivate: c.AllowPrivate, requireHTTPS: c.RequireHTTPS,
	}
	for _, net := range c.AllowNets {
		net = unmapPrefix(net)
		g.allowed = append(g.allowed, net)
		for _, m := range g.metadata {
			if m.Bits() <= net.Bits() && m.Contains(net.Addr()) {
				g.narrow = append(g.narrow, net)
			}
		}
	}
	return g
}

// unmapPrefix turns an IPv4-mapped network into the IPv4 one, since addresses
// are compared unmapped.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	const mapped = 96 // bits before the IPv4 part
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped).Masked()
	}
	return p.Masked()
}

// CheckAddr returns ErrAddress for an address that callbacks must not reach.
func (g *Guard) CheckAddr(ip netip.Addr) error {
	if !ip.IsValid() {
		return ErrAddress
	}
	ip = ip.Unmap().WithZone("")
	switch {
	case g.metadata.contain(ip):
		if g.narrow.contain(ip) {
			return nil
		}
		return ErrAddress
	case g.allowed.contain(ip):
		return nil
	case g.private.contain(ip):
		if g.allowPrivate {
			return nil
		}
		return ErrAddress
	case g.special.contain(ip),
		ip.Is6() && !g.global.contain(ip),
		// The ranges cover these; should one ever not, the answer stays no.
		ip.IsLoopback(), ip.IsPrivate(), ip.IsUnspecified(), ip.IsMulticast(), ip.IsLinkLocalUnicast():
		return ErrAddress
	}
	return nil
}

// Control is a net.Dialer's ControlContext: it sees each address that is about
// to be connected to, after name resolution, and refuses what CheckAddr
// refuses. What it cannot read it refuses.
func (g *Guard) Control(_ context.Context, network, address string, _ syscall.RawConn) error {
	if network != "tcp4" && network != "tcp6" {
		return ErrAddress
	}
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return ErrAddress
	}
	return g.CheckAddr(to.Addr())
}

// CheckURL returns nil for a URL that may be stored as a callback's target. A
// literal address is refused as CheckAddr would, however it is spelled; a host
// name passes, since it is resolved anew at every connect.
func (g *Guard) CheckURL(u *url.URL) error {
	if u == nil {
		return ErrURL
	}
	switch strings.ToLower(u.Scheme) {
	case "https":
	case "http":
		if g.requireHTTPS {
			return ErrHTTPS
		}
	default:
		return ErrURL
	}
	if u.Opaque != "" {
		return ErrURL
	}
	ip, literal, err := hostAddr(u.Hostname())
	if err != nil {
		return fmt.Errorf("read host: %w", err)
	}
	if literal {
		return g.CheckAddr(ip)
	}
	return nil
}
