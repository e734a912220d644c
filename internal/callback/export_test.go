package callback

import (
	"context"
	"net"
	"time"
)

// What tests look at directly.
var (
	Render    = render
	WaitAfter = waitAfter
)

// DialBy makes the pusher connect by dial, past the guard.
func (p *Pusher) DialBy(dial func(ctx context.Context, network, addr string) (net.Conn, error)) {
	p.client.transport.DialContext = dial
}

// ResolveBy makes the pusher's dialer resolve names by r.
func (p *Pusher) ResolveBy(r *net.Resolver) { p.client.dialer.Resolver = r }

// Narrow is what the breaker would say of configurations after these results,
// with nothing under way.
func Narrow(slots int, results map[string][]bool) map[string]int {
	l := newLoad(slots)
	now := time.Unix(0, 0)
	for config, received := range results {
		for _, ok := range received {
			p := Post{ID: config, ConfigID: config}
			l.begin(p, now)
			l.ended(p, ok, now)
			l.recorded([]Outcome{{ID: config}})
		}
	}
	return l.narrow(now)
}
