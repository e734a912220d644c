package smpp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
)

// Bounds of a session.
const (
	bindBound     = 10 * time.Second // for the answer to a bind
	responseBound = 10 * time.Second // for the answer to a submit
	writeBound    = 10 * time.Second // for a peer that reads nothing
	linkSilence   = 30 * time.Second // in either direction, before enquire_link
	linkBound     = 10 * time.Second // for its answer
	drainBound    = 5 * time.Second  // for the window at the end
	unbindBound   = 2 * time.Second  // for the answer to unbind

	maxTimeouts = 3 // submits in a row without an answer before the bind is made anew
	readBuffer  = 16 << 10
)

// Why sessions end and waits are over.
var (
	errDialBound   = errors.New("the connection took too long")
	errPeerClosed  = errors.New("the peer closed the connection")
	errPeerUnbound = errors.New("the peer unbound")
	errHostile     = errors.New("the peer sent what is no PDU")
	errSilent      = errors.New("the peer did not answer enquire_link")
	errUnanswered  = errors.New("the peer left submits unanswered")
	errRebind      = errors.New("the peer does not see the bind")
	errPanic       = errors.New("a PDU led to a failure in this server")
	errEnding      = errors.New("the bind is ending")
	errUnwritten   = errors.New("the request was not written")
	errNoAnswer    = errors.New("no answer in time")
)

// session is one bound connection, or one that is being bound.
type session struct {
	conn net.Conn
	now  func() time.Time
	log  *slog.Logger
	// take answers a request of the peer; it is called by a goroutine of its
	// own. false: there is no room for it at the moment.
	take   func(ctx context.Context, p pdu.PDU, answer func(pdu.PDU)) bool
	notice func(Notice)

	slots    chan struct{} // one token for each submit in the window
	stopping chan struct{} // closed when no submit may begin any more
	stopOnce sync.Once
	done     chan struct{} // closed when the connection is over
	endOnce  sync.Once
	cause    error // why; set before done is closed
	running  sync.WaitGroup

	begun       time.Time
	heard, said atomic.Int64 // when octets last came and went, in nanoseconds since begun
	timeouts    atomic.Int32 // submits in a row without an answer

	writing sync.Mutex // guards conn's writing side and buffer
	buffer  []byte

	mu      sync.Mutex // guards what follows
	next    uint32
	waiting map[uint32]*pending
}

func newSession(conn net.Conn, window int, now func() time.Time, log *slog.Logger) *session {
	s := &session{
		conn: conn, now: now, log: log, begun: now(),
		slots: make(chan struct{}, window), stopping: make(chan struct{}), done: make(chan struct{}),
		waiting: map[uint32]*pending{},
		take:    func(context.Context, pdu.PDU, func(pdu.PDU)) bool { return false },
		notice:  func(Notice) {},
	}
	return s
}

// age is how long the session has lasted; steps of the machine's clock do not
// count.
func (s *session) age() time.Duration { return s.now().Sub(s.begun) }

// start begins reading. Values of ctx reach what the peer's requests start.
func (s *session) start(ctx context.Context) {
	s.running.Go(func() { s.read(ctx) })
}

// end closes the connection, for the first cause that is given.
func (s *session) end(cause error) {
	s.endOnce.Do(func() {
		s.cause = cause
		s.stop()
		close(s.done)
		_ = s.conn.Close()
	})
}

// stop lets no submit begin any more.
func (s *session) stop() { s.stopOnce.Do(func() { close(s.stopping) }) }

// isStopping reports whether no submit may begin any more.
func (s *session) isStopping() bool {
	select {
	case <-s.stopping:
		return true
	default:
		return false
	}
}

// read handles what the peer sends until the connection is over.
func (s *session) read(ctx context.Context) {
	r := bufio.NewReaderSize(s.conn, readBuffer)
	for {
		p, err := pdu.Read(r)
		s.heard.Store(int64(s.age()))
		switch {
		case err == nil:
			if err := s.handle(ctx, p); err != nil {
				s.end(err)
				return
			}
			continue
		case errors.Is(err, pdu.ErrMalformed):
			// Answered before the end, or a message centre sends it again forever.
			s.reply(pdu.PDU{ID: pdu.GenericNack, Status: pdu.InvalidPDU, Seq: p.Seq})
			s.notice(HostilePDU)
			err = errHostile
		case errors.Is(err, pdu.ErrFrame):
			s.notice(HostilePDU)
			err = errHostile
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			err = errPeerClosed
		}
		s.end(err)
		return
	}
}

// handle does what one PDU asks for. An error ends the session.
func (s *session) handle(ctx context.Context, p pdu.PDU) (err error) {
	defer func() {
		if v := recover(); v != nil {
			s.log.ErrorContext(ctx, "a PDU led to a panic", slog.String("pdu", p.ID.String()),
				slog.String("type", fmt.Sprintf("%T", v)), slog.String("stack", string(debug.Stack())))
			err = errPanic
		}
	}()
	if _, unknown := p.Body.(pdu.Raw); unknown {
		s.notice(UnknownPDU)
		if !p.ID.Response() {
			s.reply(pdu.PDU{ID: pdu.GenericNack, Status: pdu.InvalidCommand, Seq: p.Seq})
		}
		return nil
	}
	if p.ID.Response() {
		s.match(p)
		return nil
	}
	switch p.ID {
	case pdu.EnquireLink:
		s.reply(pdu.PDU{ID: pdu.EnquireLinkResp, Seq: p.Seq})
	case pdu.Unbind:
		s.reply(pdu.PDU{ID: pdu.UnbindResp, Seq: p.Seq})
		return errPeerUnbound
	case pdu.DeliverSM, pdu.DataSM:
		if !s.take(ctx, p, s.reply) {
			s.reply(pdu.PDU{ID: p.ID.Resp(), Status: pdu.TemporaryError, Seq: p.Seq, Body: &pdu.Answer{}})
		}
	default: // nothing that a message centre may ask of us
		s.notice(UnknownPDU)
		s.reply(pdu.PDU{ID: pdu.GenericNack, Status: pdu.InvalidCommand, Seq: p.Seq})
	}
	return nil
}

// match hands an answer to whoever waits for it.
func (s *session) match(p pdu.PDU) {
	w := s.forget(p.Seq)
	if w == nil {
		s.notice(LateAnswer)
		return
	}
	if w.windowed {
		s.timeouts.Store(0)
	}
	if w.learn != nil {
		w.learn(p)
	}
	w.answer <- p
}

// forget takes a request out of the window; nil if it is not in it any more.
func (s *session) forget(seq uint32) *pending {
	s.mu.Lock()
	w := s.waiting[seq]
	delete(s.waiting, seq)
	s.mu.Unlock()
	if w != nil && w.windowed {
		<-s.slots
	}
	return w
}

// reply writes an answer. If that fails, so does the session.
func (s *session) reply(p pdu.PDU) {
	if _, err := s.write(p); err != nil {
		s.end(err)
	}
}

// write reports whether any octet may have reached the peer.
func (s *session) write(p pdu.PDU) (sent bool, err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	b, err := p.Append(s.buffer[:0])
	if err != nil {
		return false, fmt.Errorf("encode: %w", err)
	}
	s.buffer = b
	defer clear(b) // it may hold a code or the password
	if err := s.conn.SetWriteDeadline(s.now().Add(writeBound)); err != nil {
		return false, fmt.Errorf("write: %w", err)
	}
	n, err := s.conn.Write(b)
	s.said.Store(int64(s.age()))
	if err != nil {
		return n > 0, fmt.Errorf("write: %w", err)
	}
	return true, nil
}
