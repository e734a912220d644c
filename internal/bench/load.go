package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// connections is how many requests are under way at once, as every goal says.
const connections = 64

// call does request number i on a connection and fails on an answer that it
// does not expect.
type call func(c *conn, i int) error

// outcome is what a load came to.
type outcome struct {
	done    int
	took    time.Duration
	latency *histogram
}

func (o outcome) rate() float64 { return float64(o.done) / o.took.Seconds() }

// load runs n calls over the connections. With a rate it is open loop: call i
// is meant to start at i/rate, and its latency counts from then, however late
// a connection was free for it. Without, it is closed loop.
func load(ctx context.Context, addr string, n int, rate float64, do call) (outcome, error) {
	return loadOver(ctx, []string{addr}, n, rate, do)
}

// loadOver is load over several servers, each of which has its share of the
// connections.
func loadOver(ctx context.Context, addrs []string, n int, rate float64, do call) (outcome, error) {
	conns := make([]*conn, connections)
	for i := range conns {
		c, err := dial(ctx, addrs[i%len(addrs)])
		if err != nil {
			return outcome{}, err
		}
		defer c.Close()
		conns[i] = c
	}
	var (
		next   atomic.Int64
		wg     sync.WaitGroup
		once   sync.Once
		failed error
		h      histogram
	)
	start := time.Now()
	for _, c := range conns {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				begin := time.Now()
				if rate > 0 {
					begin = start.Add(time.Duration(float64(i) / rate * float64(time.Second)))
					time.Sleep(time.Until(begin))
				}
				if err := do(c, i); err != nil {
					once.Do(func() { failed = fmt.Errorf("call %d, to %s: %w", i, c.RemoteAddr(), err) })
					next.Store(int64(n)) // the others stop too
					return
				}
				h.add(time.Since(begin))
			}
		})
	}
	wg.Wait()
	took := time.Since(start)
	if failed == nil {
		failed = ctx.Err()
	}
	return outcome{done: h.total, took: took, latency: &h}, failed
}
