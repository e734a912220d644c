package smpp

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign/internal/delivery"
)

// errPart ends an asking: the id turned out to be that of a part.
var errPart = errors.New("the id is that of a part")

// asking is a receipt that the dispatcher is asked about, as its id is that of no
// long message so far.
type asking struct {
	stop context.CancelCauseFunc
	over chan struct{} // closed when the dispatcher has answered
}

// ask asks the dispatcher about a receipt whose id is that of no long message.
// It returns errPart as soon as an answer says that it is: the receipt was faster,
// and the dispatcher, which waits for the submit to be recorded, would take the
// first part's for the whole message's.
func (c *Carrier) ask(ctx context.Context, r delivery.Receipt) (known bool, err error) {
	ctx, end := c.parts.note(ctx, r.Ref)
	defer end()
	if ctx.Err() == nil {
		known, err = c.deps.Receive(ctx, r)
	}
	if errors.Is(context.Cause(ctx), errPart) {
		return false, errPart
	}
	return known, err
}

// note notes that the dispatcher is asked about an id until end is called. The
// context ends with errPart when the id is, or becomes, that of a part.
func (p *Parts) note(ctx context.Context, id string) (asked context.Context, end func()) {
	asked, stop := context.WithCancelCause(ctx)
	a := &asking{stop: stop, over: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.byID[id] != nil {
		stop(errPart)
	}
	p.asked[id] = append(p.asked[id], a)
	return asked, func() {
		stop(nil)
		close(a.over)
		p.mu.Lock()
		defer p.mu.Unlock()
		rest := slices.DeleteFunc(p.asked[id], func(o *asking) bool { return o == a })
		if p.asked[id] = rest; len(rest) == 0 {
			delete(p.asked, id)
		}
	}
}

// answered waits, until ctx ends, for the dispatcher's answers about parts of g
// that it was asked about too early. Before that the message's result must not
// reach it, or such an answer would be about the whole.
func (p *Parts) answered(ctx context.Context, g *group) {
	p.mu.Lock()
	asked := g.asked
	g.asked = nil
	p.mu.Unlock()
	for _, over := range asked {
		select {
		case <-over:
		case <-ctx.Done():
			return
		}
	}
}
