package smpp

import (
	"context"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
)

const version34 = 0x34

// bind binds the connection. Nothing else is sent before the answer.
func (s *session) bind(ctx context.Context, id pdu.ID, c *settled) error {
	p, err := s.ask(ctx, id, &pdu.Bind{
		SystemID: c.SystemID, Password: c.Password.reveal(), SystemType: c.SystemType,
		Version: version34, Range: pdu.Address{Text: c.AddressRange},
	}, bindBound)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", id, err)
	case p.Status != pdu.OK:
		return &StatusError{ID: id, Status: p.Status}
	case p.ID != id.Resp():
		return fmt.Errorf("%s: %w", id, errHostile)
	}
	return nil
}

// keep asks the peer for a sign of life where it is silent, until the
// connection is over or ctx ends.
func (s *session) keep(ctx context.Context) {
	timer := time.NewTimer(linkSilence)
	defer timer.Stop()
	for {
		select {
		case <-s.done:
			return
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		last := time.Duration(min(s.heard.Load(), s.said.Load()))
		if rest := linkSilence - (s.age() - last); rest > 0 {
			timer.Reset(rest)
			continue
		}
		if _, err := s.ask(ctx, pdu.EnquireLink, nil, linkBound); err != nil {
			if ctx.Err() == nil {
				s.end(errSilent)
			}
			return
		}
		timer.Reset(linkSilence)
	}
}

// drain lets the window empty, unbinds and closes. ctx is not the one whose end
// led here.
func (s *session) drain(ctx context.Context) {
	s.stop()
	ctx, cancel := context.WithTimeoutCause(ctx, drainBound+unbindBound, errEnding)
	defer cancel()
	patience := time.NewTimer(drainBound)
	defer patience.Stop()
	look := time.NewTicker(drainLook)
	defer look.Stop()
	for s.inFlight() > 0 {
		select {
		case <-look.C:
			continue
		case <-patience.C:
		case <-s.done:
		}
		break
	}
	// Whether it is answered makes no difference: the connection is closed.
	_, _ = s.ask(ctx, pdu.Unbind, nil, unbindBound)
	s.end(errEnding)
}

// drainLook is how often the window is looked at while it empties.
const drainLook = 10 * time.Millisecond
