package smpp_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

// patience is for what must come, on a busy machine.
const patience = 2 * time.Minute

// smsc is a message centre within the test. It answers what a plain one does;
// on replaces that for single commands.
type smsc struct {
	mu      sync.Mutex // guards what follows
	peers   []*peer
	submits []*pdu.Message
	ids     int
	on      map[pdu.ID]func(p *peer, q pdu.PDU)
	dials   int
}

// peer is one connection.
type peer struct {
	smsc *smsc
	conn net.Conn
	kind pdu.ID // what it is bound as

	writing sync.Mutex // guards conn's writing side and seq
	seq     uint32

	mu      sync.Mutex // guards answers
	answers map[uint32]chan pdu.PDU
	bound   chan struct{} // closed once it is
	gone    chan struct{} // closed when the connection is over
}

func newSMSC() *smsc { return &smsc{on: map[pdu.ID]func(*peer, pdu.PDU){}} }

// handle replaces what happens on a command; nil restores it.
func (s *smsc) handle(id pdu.ID, f func(p *peer, q pdu.PDU)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.on[id] = f
}

// dial is a connection without a network, as synctest needs it.
func (s *smsc) dial(context.Context, string, string) (net.Conn, error) {
	near, far := net.Pipe()
	s.serve(far)
	return near, nil
}

func (s *smsc) serve(conn net.Conn) {
	p := &peer{smsc: s, conn: conn, answers: map[uint32]chan pdu.PDU{}, bound: make(chan struct{}), gone: make(chan struct{})}
	s.mu.Lock()
	s.dials++
	s.peers = append(s.peers, p)
	s.mu.Unlock()
	go p.read()
}

func (p *peer) read() {
	defer func() {
		_ = p.conn.Close()
		p.smsc.mu.Lock()
		p.smsc.peers = slices.DeleteFunc(p.smsc.peers, func(o *peer) bool { return o == p })
		p.smsc.mu.Unlock()
		close(p.gone)
	}()
	r := bufio.NewReader(p.conn)
	for {
		q, err := pdu.Read(r)
		if err != nil {
			return
		}
		if q.ID.Response() {
			p.mu.Lock()
			c := p.answers[q.Seq]
			delete(p.answers, q.Seq)
			p.mu.Unlock()
			if c != nil {
				c <- q
			}
			continue
		}
		p.smsc.mu.Lock()
		if m, ok := q.Body.(*pdu.Message); ok {
			p.smsc.submits = append(p.smsc.submits, m)
		}
		f := p.smsc.on[q.ID]
		p.smsc.mu.Unlock()
		if f == nil {
			f = plain
		}
		f(p, q)
	}
}

// plain is what a message centre does if nothing is the matter.
func plain(p *peer, q pdu.PDU) {
	switch q.ID {
	case pdu.BindReceiver, pdu.BindTransmitter, pdu.BindTransceiver:
		p.kind = q.ID
		p.send(pdu.PDU{ID: q.ID.Resp(), Seq: q.Seq, Body: &pdu.BindResp{SystemID: "double"}})
		close(p.bound)
	case pdu.SubmitSM:
		p.accept(q, p.smsc.nextID())
	case pdu.Unbind:
		p.send(pdu.PDU{ID: pdu.UnbindResp, Seq: q.Seq})
		_ = p.conn.Close()
	default:
		p.send(pdu.PDU{ID: q.ID.Resp(), Seq: q.Seq})
	}
}

// silent reads and does nothing.
func silent(*peer, pdu.PDU) {}

// refuses answers a command with a status.
func refuses(status pdu.Status) func(*peer, pdu.PDU) {
	return func(p *peer, q pdu.PDU) { p.send(pdu.PDU{ID: q.ID.Resp(), Status: status, Seq: q.Seq}) }
}

func (p *peer) accept(q pdu.PDU, id string) {
	p.send(pdu.PDU{ID: q.ID.Resp(), Seq: q.Seq, Body: &pdu.Answer{MessageID: id}})
}

func (s *smsc) nextID() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return fmt.Sprint("m", s.ids)
}

func (p *peer) send(q pdu.PDU) {
	b, err := q.Append(nil)
	if err != nil {
		panic(err)
	}
	p.raw(b)
}

func (p *peer) raw(b []byte) {
	p.writing.Lock()
	defer p.writing.Unlock()
	_, _ = p.conn.Write(b) // the other side may be gone
}

// ask sends a request and returns its answer; false if the connection ended.
func (p *peer) ask(id pdu.ID, body pdu.Body) (pdu.PDU, bool) {
	c := make(chan pdu.PDU, 1)
	p.mu.Lock()
	p.seq++
	seq := p.seq
	p.answers[seq] = c
	p.mu.Unlock()
	p.send(pdu.PDU{ID: id, Seq: seq, Body: body})
	select {
	case q := <-c:
		return q, true
	case <-p.gone:
		select {
		case q := <-c: // it came just before
			return q, true
		default:
			return pdu.PDU{}, false
		}
	case <-time.After(patience):
		return pdu.PDU{}, false
	}
}

// peer returns a connection that is bound to receive; it waits for one.
func (s *smsc) peer(t testing.TB) *peer {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		all := slices.Clone(s.peers)
		s.mu.Unlock()
		for _, p := range all {
			select {
			case <-p.bound:
				if p.kind != pdu.BindTransmitter {
					return p
				}
			default:
			}
		}
	}
	t.Fatal("nobody bound")
	return nil
}

func (s *smsc) seen() []*pdu.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.submits)
}

// drop closes all connections and waits until they are gone.
func (s *smsc) drop() {
	s.mu.Lock()
	all := slices.Clone(s.peers)
	s.mu.Unlock()
	for _, p := range all {
		_ = p.conn.Close()
		<-p.gone
	}
}

func (s *smsc) dialled() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.dials
}

// receipt is a deliver_sm as message centres write it.
func receipt(id, stat string) *pdu.Message {
	return &pdu.Message{
		Source: pdu.Address{TON: 1, NPI: 1, Text: "491712345678"}, Dest: pdu.Address{TON: 5, Text: "Acme"}, ESMClass: 0x04,
		Short: []byte("id:" + id + " sub:001 dlvrd:001 submit date:2611220034 done date:2611220035 stat:" + stat + " err:000 text:Your code"),
	}
}

// report sends a receipt and returns the status it is answered with.
func (s *smsc) report(t testing.TB, id, stat string) pdu.Status {
	t.Helper()
	q, ok := s.peer(t).ask(pdu.DeliverSM, receipt(id, stat))
	if !ok {
		t.Fatal("the receipt was not answered")
	}
	return q.Status
}

// desk stands for the dispatcher.
type desk struct {
	mu       sync.Mutex // guards what follows
	receipts []delivery.Receipt
	unknown  map[string]bool
	err      error
	notices  map[smpp.Notice]int
	states   []smpp.BindState
}

func newDesk() *desk { return &desk{unknown: map[string]bool{}, notices: map[smpp.Notice]int{}} }

func (d *desk) receive(_ context.Context, r delivery.Receipt) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return false, d.err
	}
	d.receipts = append(d.receipts, r)
	return !d.unknown[r.Ref], nil
}

func (d *desk) received() []delivery.Receipt {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.receipts)
}

func (d *desk) Changed(_ string, s smpp.BindState) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.states = append(d.states, s)
}

func (d *desk) Noticed(_ string, n smpp.Notice) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.notices[n]++
}

// bound returns how often a bind came up.
func (d *desk) bound() (times int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, s := range d.states {
		if s.Bound {
			times++
		}
	}
	return times
}

func (d *desk) noticed(n smpp.Notice) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.notices[n]
}

func config() smpp.Config {
	return smpp.Config{Name: "direct", Host: "127.0.0.1", SystemID: "esme", Password: smpp.NewPassword("secret")}
}

// running is a carrier that runs against a message centre within the test.
type running struct {
	*smpp.Carrier
	smsc *smsc
	desk *desk
	stop func() // ends Run and waits for it
}

// start starts a carrier; change may alter its configuration.
func start(t testing.TB, s *smsc, change func(*smpp.Config)) running {
	t.Helper()
	cfg, d := config(), newDesk()
	if change != nil {
		change(&cfg)
	}
	c, err := smpp.New(cfg, smpp.Deps{
		Receive: d.receive, Log: discard(), Now: time.Now, Observer: d, Dial: s.dial,
		Jitter: func(limit time.Duration) time.Duration { return limit - 1 },
	})
	if err != nil {
		t.Fatal(err)
	}
	return running{Carrier: c, smsc: s, desk: d, stop: run(t, c)}
}

// run runs a carrier until stop is called or the test ends.
func run(t testing.TB, c *smpp.Carrier) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := c.Run(ctx); err != nil {
			t.Errorf("Run = %v; want nil", err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// decided waits until every bind of a carrier that runs is up or was refused: a
// submit waits for that itself, but not as long as a busy machine may take.
func decided(t testing.TB, c *smpp.Carrier) {
	t.Helper()
	open := func(b smpp.BindState) bool { return !b.Bound && b.LastErr == "" }
	for deadline := time.Now().Add(patience); slices.ContainsFunc(c.Binds(), open); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the binds are %+v; want them up", c.Binds())
		}
	}
}

// text returns a message with a text of one's own; "{code}" stands for the code.
func text(t testing.TB, words string) delivery.Message {
	t.Helper()
	to, err := phone.FromE164("+491712345678")
	if err != nil {
		t.Fatal(err)
	}
	return delivery.Message{
		Dedupe: uuid.NewString(), Account: "acme", OTPID: uuid.NewString(), Recipient: to.Recipient(),
		Step: delivery.Step{
			Channel: message.SMS, Text: message.Parse(words, []message.Placeholder{{Token: "{code}", Code: true}}),
			Sender: "Acme", Wait: time.Minute,
		},
		Code: otp.NewCode("80427519"), Expires: time.Now().Add(5 * time.Minute), Try: 1,
	}
}
