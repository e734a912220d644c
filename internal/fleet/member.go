package fleet

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// retireBound is how long a carrier that was replaced or removed may take for
// the messages that it has in hand; more than the dispatcher gives a submit.
const retireBound = 25 * time.Second

// member is a carrier of the fleet. It counts what the carrier has in hand, and
// satisfies delivery.Carrier.
type member struct {
	spec

	carrier  delivery.Carrier
	receipts http.Handler // nil if the carrier takes none
	tokens   []string     // that open receipts, the current one first
	// weakest is the sender on a channel that a carrier's own goes before; nil for
	// none.
	weakest func(message.Channel) string

	memory  *memory
	retired chan struct{} // closed when the fleet gives it up
	ended   chan struct{} // closed when it has ended

	mu    sync.Mutex // guards what follows
	inner int        // submits under way
	empty chan struct{}
}

func newMember(s spec, e env, tokens []string) (*member, error) {
	c, err := s.open(e)
	if err != nil {
		return nil, err
	}
	m := &member{
		spec: s, carrier: c, tokens: tokens, memory: e.memory,
		retired: make(chan struct{}), ended: make(chan struct{}), empty: make(chan struct{}, 1),
	}
	if r, ok := c.(interface{ Receipts() http.Handler }); ok {
		m.receipts = r.Receipts()
	}
	return m, nil
}

// Name returns the carrier's name.
func (m *member) Name() string { return m.carrier.Name() }

// Dedupes reports what the carrier reports.
func (m *member) Dedupes() bool { return m.carrier.Dedupes() }

// Channels returns what the carrier can carry.
func (m *member) Channels() []message.Channel { return channelsOf(m.carrier) }

// retire has the member end when it has nothing in hand, and take nothing new.
func (m *member) retire() {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(m.retired)
}

// Submit hands one message over. Once the member is retired it does not: the
// message, found by an older route, comes again over the one that there is then.
func (m *member) Submit(ctx context.Context, msg delivery.Message) delivery.Result {
	m.mu.Lock()
	select {
	case <-m.retired:
		m.mu.Unlock()
		return delivery.Result{Class: delivery.Deferred}
	default:
	}
	m.inner++
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		m.inner--
		m.mu.Unlock()
		select {
		case m.empty <- struct{}{}:
		default:
		}
	}()
	return m.submit(ctx, msg)
}

func (m *member) idle() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.inner == 0
}

// run runs the carrier until ctx ends, or until the member is retired and has
// nothing in hand any more. It begins when after is closed; nil for at once.
func (m *member) run(ctx context.Context, after <-chan struct{}, log *slog.Logger) {
	defer close(m.ended)
	if after != nil {
		<-after // it ends by itself, soon
	}
	own, cancel := context.WithCancel(ctx)
	defer cancel()
	var waiting sync.WaitGroup
	waiting.Go(func() {
		select {
		case <-own.Done():
		case <-m.retired:
			m.finish(own)
			cancel()
		}
	})
	if r, ok := m.carrier.(interface {
		Run(ctx context.Context) error
	}); ok {
		if err := r.Run(own); err != nil {
			log.ErrorContext(ctx, "a carrier ended", slog.String("carrier", m.Name()), slog.Any("err", err))
		}
	} else {
		<-own.Done()
	}
	cancel()
	waiting.Wait()
}

// finish waits for what the member has in hand.
func (m *member) finish(ctx context.Context) {
	bound := time.NewTimer(retireBound)
	defer bound.Stop()
	for !m.idle() {
		select {
		case <-m.empty:
		case <-bound.C:
			return
		case <-ctx.Done():
			return
		}
	}
}
