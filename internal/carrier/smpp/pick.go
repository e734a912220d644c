package smpp

import (
	"context"
	"errors"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

const (
	// bindWait is how long of turnBound a message waits for a bind that is down.
	bindWait = 2 * time.Second
	// openAlarm is how long a bind that the message centre says is open already
	// (0x05) may be one of ours that it has not seen end.
	openAlarm = time.Minute
)

var errNoBind = errors.New("no bind is up")

// unbound is the result while no bind is up.
func (c *Carrier) unbound() delivery.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.links {
		var refused *StatusError
		if !l.submits || !errors.As(l.last, &refused) || c.cfg.classOf(refused.Status) != delivery.Config {
			continue
		}
		if refused.Status == pdu.AlreadyBound && c.deps.Now().Sub(l.downSince) < openAlarm {
			continue
		}
		return delivery.Result{Class: delivery.Config, Failure: failureOf(refused.Status)}
	}
	return delivery.Result{Class: delivery.Retry, After: time.Second, Failure: delivery.Unreachable}
}

// pick returns the bind that has least to do, and its session. It waits a
// little for one. The caller lowers the link's load.
func (c *Carrier) pick(ctx context.Context) (*link, *session, error) {
	timer := time.NewTimer(bindWait)
	defer timer.Stop()
	for {
		c.mu.Lock()
		var best *link
		var bound *session
		hopeless := true
		for _, l := range c.links {
			if !l.submits {
				continue
			}
			hopeless = hopeless && l.hopeless
			if l.session != nil && !l.session.isStopping() && (best == nil || l.load.Load() < best.load.Load()) {
				best, bound = l, l.session
			}
		}
		changed := c.changed
		c.mu.Unlock()
		if best != nil {
			best.load.Add(1)
			return best, bound, nil
		}
		if hopeless {
			return nil, nil, errNoBind
		}
		select {
		case <-changed:
		case <-timer.C:
			return nil, nil, errNoBind
		case <-ctx.Done():
			return nil, nil, errNoBind
		}
	}
}
