// Package resolve finds the addresses of the hosts that callbacks and messages
// are sent to, and that the database is at, also while a name server is down.
package resolve

import (
	"context"
	"errors"
	"net"
	"time"
)

// exchangeTime is how long one name server may take for one answer, less where
// resolv.conf(5) says so (options timeout:). Its default of 5 s is all that
// connecting may take, so that the next server would never be asked. One that
// needs longer to find an answer mostly has it when it is asked again.
const exchangeTime = 1500 * time.Millisecond

var errSlow = errors.New("the name server took too long")

// New returns a resolver that asks the name servers of the system, each in turn
// for at most 1.5 s.
func New() *net.Resolver { return by((&net.Dialer{}).DialContext) }

type dialFunc = func(ctx context.Context, network, address string) (net.Conn, error)

// by is New with what connects to name servers.
func by(dial dialFunc) *net.Resolver {
	return &net.Resolver{
		PreferGo: true, // the system's own gives no say in how long it asks
		Dial: func(ctx context.Context, network, address string) (net.Conn, error) {
			ends := time.Now().Add(exchangeTime) //nolint:forbidigo // a deadline of the operating system's
			ctx, cancel := context.WithDeadlineCause(ctx, ends, errSlow)
			defer cancel()
			conn, err := dial(ctx, network, address)
			if err != nil {
				return nil, err
			}
			if packets, ok := conn.(packetConn); ok { // by which package net tells how questions are framed
				return datagrams{packets, ends}, nil
			}
			return stream{conn, ends}, nil
		},
	}
}

type packetConn interface {
	net.Conn
	net.PacketConn
}

// datagrams is a connection over UDP that ends with its exchange's time.
type datagrams struct {
	packetConn

	ends time.Time
}

// SetDeadline sets the earlier of the two: package net gives the time of
// resolv.conf.
func (d datagrams) SetDeadline(t time.Time) error {
	return d.packetConn.SetDeadline(earlier(t, d.ends)) //nolint:wrapcheck // package net takes it for its own
}

// stream is the same over TCP.
type stream struct {
	net.Conn

	ends time.Time
}

func (s stream) SetDeadline(t time.Time) error {
	return s.Conn.SetDeadline(earlier(t, s.ends)) //nolint:wrapcheck // as above
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
