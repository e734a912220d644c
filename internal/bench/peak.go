package main

import (
	"context"
	"time"
)

// rates are what a deployment does in a second, at its peak.
type rates struct{ send, check float64 }

// peak measures sends and checks over every node.
func (b *bench) peak(ctx context.Context, d *deployment) (rates, error) {
	t := d.nodes[0]
	if _, err := loadOver(ctx, d.addrs(), b.sends/4, 0, t.send("login", 9_000_000, nil)); err != nil {
		return rates{}, err // warms connections, statements and caches
	}
	ids := make([]string, b.sends)
	send, err := loadOver(ctx, d.addrs(), b.sends, 0, t.send("login", 0, ids))
	if err != nil {
		return rates{}, err
	}
	check, err := loadOver(ctx, d.addrs(), 2*b.sends, 0, t.check(ids))
	if err != nil {
		return rates{}, err
	}
	return rates{send.rate(), check.rate()}, nil
}

// halfPeak is P6: the p99 at half of our peak, of every round.
type halfPeak struct {
	send, check, bare   []time.Duration
	overSend, overCheck []float64 // ours to that of the bare server
}

// measure measures a round: a server at half of its peak, open loop, and the
// bare server at that rate.
func (h *halfPeak) measure(ctx context.Context, t *target, bare string, peak rates) error {
	half := peak.send / 2
	n := int(half * 5)
	send, err := load(ctx, t.addr, n, half, t.send("login", 1_000_000, nil))
	if err != nil {
		return err
	}
	base, err := load(ctx, bare, n, half, bareCall)
	if err != nil {
		return err
	}
	fresh := make([]string, n/2)
	if _, err := load(ctx, t.addr, len(fresh), 0, t.send("login", 3_000_000, fresh)); err != nil {
		return err
	}
	halfCheck := peak.check / 2
	check, err := load(ctx, t.addr, 2*len(fresh), halfCheck, t.check(fresh))
	if err != nil {
		return err
	}
	baseCheck, err := load(ctx, bare, n, halfCheck, bareCall)
	if err != nil {
		return err
	}
	p99 := func(o outcome) time.Duration { return o.latency.quantile(0.99) }
	h.send, h.check, h.bare = append(h.send, p99(send)), append(h.check, p99(check)), append(h.bare, p99(base))
	h.overSend = append(h.overSend, float64(p99(send))/float64(p99(base)))
	h.overCheck = append(h.overCheck, float64(p99(check))/float64(p99(baseCheck)))
	return nil
}

// atHalfPeak adds the figures of P6.
func (b *bench) atHalfPeak(h *halfPeak) {
	b.worst("P6", "p99 of accept at half of our peak", median(h.send), "bare net/http p99", median(h.bare), median(h.overSend), 2, 1.3)
	b.worst("P6", "p99 of check at half of our peak", median(h.check), "bare net/http p99", median(h.bare), median(h.overCheck), 2, 1.3)
}
