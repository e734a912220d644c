package callback

import (
	"context"
	"net"
	"strconv"
	"time"
)

// What tests look at directly.
var (
	Render    = render
	WaitAfter = waitAfter
)

// DialBy makes the pusher connect by dial, past the guard.
func (p *Pusher) DialBy(dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	p.client.transport.DialContext, p.client.fresh.DialContext = dial, dial
}

// Patient has attempts take as long as a slow machine needs for what answers.
func (p *Pusher) Patient(d time.Duration) *Pusher {
	p.client.dialer.Timeout = d
	p.client.transport.TLSHandshakeTimeout, p.client.fresh.TLSHandshakeTimeout = d, d
	return p
}

// KeepIdle is for how long the pusher keeps idle connections.
func (p *Pusher) KeepIdle(d time.Duration) { p.client.transport.IdleConnTimeout = d }

// AsksForProxy reports whether anything may name a proxy to connect through.
func (p *Pusher) AsksForProxy() bool {
	return p.client.transport.Proxy != nil || p.client.fresh.Proxy != nil
}

// ConnectTimeout is how long the pusher's dialer takes, name resolution included.
func (p *Pusher) ConnectTimeout() time.Duration { return p.client.dialer.Timeout }

// ResolveBy makes the pusher's dialer resolve names by r.
func (p *Pusher) ResolveBy(r *net.Resolver) { p.client.dialer.Resolver = r }

// Remembered is how many of n configurations are known when nothing has been
// posted to them for so long.
func Remembered(n int, idle time.Duration) int {
	l := newLoad(defaultInFlight)
	now := time.Unix(0, 0)
	for i := range n {
		p := Post{ID: strconv.Itoa(i), ConfigID: strconv.Itoa(i)}
		l.begin(p, now)
		l.ended(p, answer{}, now)
		l.recorded([]Outcome{{ID: p.ID}})
	}
	l.sweep(now.Add(idle))
	return len(l.configs)
}
