package smpp

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
)

// pending is a request that was written, or is about to be.
type pending struct {
	seq      uint32
	windowed bool
	began    time.Time
	// learn is called by the reader with the answer, before it reads on; nil
	// for nothing.
	learn  func(pdu.PDU)
	answer chan pdu.PDU // of size 1
}

// request writes a request. With windowed it must hold a slot, which is given
// back by the answer, or here on an error. After errUnwritten nothing of it has
// reached the peer.
func (s *session) request(id pdu.ID, body pdu.Body, windowed bool, learn func(pdu.PDU)) (*pending, error) {
	w := &pending{windowed: windowed, learn: learn, answer: make(chan pdu.PDU, 1), began: s.now()}
	s.mu.Lock()
	for w.seq == 0 || s.waiting[w.seq] != nil { // unanswered ones are few
		s.next = s.next%pdu.MaxSequence + 1
		w.seq = s.next
	}
	s.waiting[w.seq] = w
	s.mu.Unlock()
	sent, err := s.write(pdu.PDU{ID: id, Seq: w.seq, Body: body})
	switch {
	case err == nil:
		return w, nil
	case sent: // what came of it is as open as if it had been written
		s.end(err)
		return w, nil
	}
	s.forget(w.seq)
	if !errors.Is(err, pdu.ErrTooLong) {
		s.end(err)
	}
	return nil, fmt.Errorf("%w: %w", errUnwritten, err)
}

// await returns the answer to w. errNoAnswer and the session's or ctx's end say
// that there is none; it is then not waited for any more.
func (s *session) await(ctx context.Context, w *pending, bound time.Duration) (pdu.PDU, error) {
	timer := time.NewTimer(bound - s.now().Sub(w.began))
	defer timer.Stop()
	var err error
	select {
	case p := <-w.answer:
		return p, nil
	case <-s.done:
		err = s.cause
	case <-ctx.Done():
		err = fmt.Errorf("wait for an answer: %w", context.Cause(ctx))
	case <-timer.C:
		err = errNoAnswer
	}
	if s.forget(w.seq) == nil { // it came meanwhile
		select {
		case p := <-w.answer:
			return p, nil
		case <-s.done: // the reader may have gone between the two
		}
		select {
		case p := <-w.answer:
			return p, nil
		default:
		}
	}
	return pdu.PDU{}, err
}

// ask sends a request that is not in the window and waits for its answer.
func (s *session) ask(ctx context.Context, id pdu.ID, body pdu.Body, bound time.Duration) (pdu.PDU, error) {
	w, err := s.request(id, body, false, nil)
	if err != nil {
		return pdu.PDU{}, err
	}
	return s.await(ctx, w, bound)
}

// inFlight returns how many submits are unanswered.
func (s *session) inFlight() int { return len(s.slots) }
