package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/store/testdb"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(testdb.Both(m)) }

// memory is a store in memory, with the rules of this package. Tests run it in
// a bubble of synctest, so its clock is theirs.
type memory struct {
	// fail, if not nil, is asked before every call, by its name.
	fail func(call string) error
	// claiming, if not nil, runs while a claim is under way, after the
	// deliveries were taken.
	claiming func()
	// account, if not nil, names the account of an OTP; else all are acme's.
	account func(id string) string

	mu       sync.Mutex // guards what follows
	otps     map[string]*life
	rows     []*row
	events   []otp.Event
	calls    map[string]int
	released []string
}

type life struct {
	plan    delivery.Plan
	to      phone.Recipient
	expires time.Time
	state   otp.State
}

type row struct {
	delivery.Delivery
	step     delivery.Step
	lease    time.Time
	node     string
	reported bool
	byID     bool
	tries    []delivery.Try
}

func newMemory() *memory { return &memory{otps: map[string]*life{}, calls: map[string]int{}} }

// unrecording has outcomes fail to be recorded for as long as sick says so.
func (m *memory) unrecording() (sick *atomic.Bool) {
	sick = &atomic.Bool{}
	sick.Store(true)
	m.fail = func(call string) error {
		if call == "record" && sick.Load() {
			return errDown
		}
		return nil
	}
	return sick
}

// send queues an OTP's first delivery.
func (m *memory) send(id string, to phone.Recipient, valid time.Duration, steps ...delivery.Step) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.otps[id] = &life{plan: delivery.Plan{Steps: steps}, to: to, expires: time.Now().Add(valid), state: otp.Active}
	m.queue(id, 1, 0)
}

func (m *memory) queue(id string, seq, at int) {
	o := m.otps[id]
	step, _ := o.plan.Step(at)
	next := at + 1
	if next >= len(o.plan.Steps) {
		next = -1
	}
	account := "acme"
	if m.account != nil {
		account = m.account(id)
	}
	m.rows = append(m.rows, &row{step: step, Delivery: delivery.Delivery{
		Key: delivery.Key{Account: account, OTPID: id, Seq: seq}, Dedupe: id + "/" + strconv.Itoa(seq), StepAt: at, Next: next,
		State: delivery.Queued, Channel: step.Channel, Queued: time.Now(), Due: time.Now(),
	}})
}

func (m *memory) verify(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.otps[id].state = otp.Verified
}

// now is the OTP's state.
func (l *life) now() otp.State { return otp.OTP{State: l.state, Expires: l.expires}.At(time.Now()) }

func (m *memory) enter(ctx context.Context, call string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if m.fail != nil {
		if err := m.fail(call); err != nil {
			return err
		}
	}
	m.mu.Lock()
	m.calls[call]++
	return nil
}

func (m *memory) ClaimDeliveries(ctx context.Context, node string, limit int, lease time.Duration) ([]delivery.Job, time.Time, error) {
	if err := m.enter(ctx, "claim"); err != nil {
		return nil, time.Time{}, err
	}
	var jobs []delivery.Job
	var next time.Time
	for _, r := range m.rows {
		o := m.otps[r.OTPID]
		due := r.Due
		if r.lease.After(due) {
			due = r.lease
		}
		if r.State == delivery.Queued && !due.IsZero() && !due.After(time.Now()) && len(jobs) < limit && !o.now().Final() {
			r.lease, r.node = time.Now().Add(lease), node
			jobs = append(jobs, delivery.Job{Delivery: r.Delivery, Recipient: o.to, Step: r.step, Sealed: []byte("sealed " + r.OTPID), Expires: o.expires})
			due = r.lease
		}
		if !r.State.Final() && !due.IsZero() && (next.IsZero() || due.Before(next)) {
			next = due
		}
	}
	m.mu.Unlock()
	if m.claiming != nil && len(jobs) > 0 {
		m.claiming()
	}
	return jobs, next, nil
}

func (m *memory) MaySubmit(ctx context.Context, key delivery.Key) (bool, error) {
	if err := m.enter(ctx, "may"); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.rows, func(r *row) bool { return r.Key == key })
	return i >= 0 && m.rows[i].State == delivery.Queued && !m.otps[key.OTPID].now().Final(), nil
}

func (m *memory) RecordSubmits(ctx context.Context, outcomes []delivery.SubmitOutcome) (bool, error) {
	if err := m.enter(ctx, "record"); err != nil {
		return false, err
	}
	defer m.mu.Unlock()
	started := false
	for _, o := range outcomes {
		i := slices.IndexFunc(m.rows, func(r *row) bool { return r.Key == o.Key })
		r, l := m.rows[i], m.otps[o.OTPID]
		changes, reported := r.Answered(o, r.standing(l))
		r.reported, r.tries = reported, append(r.tries, o.Tries...)
		for _, c := range changes {
			started = m.apply(r, c) || started
		}
	}
	return started, nil
}

func (m *memory) apply(r *row, c delivery.Change) bool {
	r.Delivery, r.lease, r.node, r.byID = c.Delivery, time.Time{}, "", r.byID || c.ByID
	if c.Event != nil {
		m.events = append(m.events, *c.Event)
	}
	if c.StartNext {
		m.queue(r.OTPID, r.Seq+1, r.Next)
	}
	return c.StartNext
}

func (m *memory) receive(r *row, rec delivery.Receipt) bool {
	changes, reported := r.Told(rec, r.standing(m.otps[r.OTPID]))
	r.reported = reported
	started := false
	for _, c := range changes {
		started = m.apply(r, c) || started
	}
	return started
}

func (r *row) standing(o *life) delivery.Standing {
	return delivery.Standing{Now: time.Now(), Of: o.now(), Expires: o.expires, Step: r.step, Sealed: true, Reported: r.reported}
}

func (m *memory) EndWaits(ctx context.Context, limit int) (n int, started bool, err error) {
	if err := m.enter(ctx, "waits"); err != nil {
		return 0, false, err
	}
	defer m.mu.Unlock()
	for _, r := range m.rows {
		o := m.otps[r.OTPID]
		if c, ok := r.WaitOver(o.now(), time.Now()); ok && n < limit {
			n++
			started = m.apply(r, c) || started
		}
	}
	return n, started, nil
}

func (m *memory) RecordReceipt(ctx context.Context, rec delivery.Receipt) (known, started bool, err error) {
	if err := m.enter(ctx, "receipt"); err != nil {
		return false, false, err
	}
	defer m.mu.Unlock()
	for _, r := range m.rows {
		if r.Carrier == rec.Carrier && (slices.Contains(rec.Refs(), r.Ref) || r.byID && r.Dedupe == rec.ID) {
			return true, m.receive(r, rec), nil
		}
	}
	return false, false, nil
}

func (m *memory) ReleaseDeliveries(ctx context.Context, node string) error {
	if err := m.enter(ctx, "release"); err != nil {
		return err
	}
	defer m.mu.Unlock()
	m.released = append(m.released, node)
	for _, r := range m.rows {
		if r.node == node {
			r.lease, r.node = time.Time{}, ""
		}
	}
	return nil
}

// story returns the tries of an OTP's first delivery as "PLACE/OF CARRIER CLASS",
// and how many tries were counted.
func (m *memory) story(id string) (lines []string, counted int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.rows, func(r *row) bool { return r.OTPID == id && r.Seq == 1 })
	for _, t := range m.rows[i].tries {
		word := t.Class.String()
		if t.Passed != 0 {
			word = t.Passed.String()
		}
		lines = append(lines, fmt.Sprintf("%d/%d %s %s", t.Place, t.Of, t.Carrier, word))
	}
	return lines, m.rows[i].Tries
}

// told returns the events so far as "CHANNEL KIND" or "CHANNEL KIND code".
func (m *memory) told() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	for _, e := range m.events {
		line := e.Channel + " " + e.Kind.String()
		if e.Failure != nil {
			line += " " + e.Failure.Area + "::" + e.Failure.Code
		}
		lines = append(lines, line)
	}
	return lines
}

func (m *memory) count(call string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.calls[call]
}

// carrier is a carrier that answers as it is told.
type carrier struct {
	name    string
	dedupes bool
	answer  func(ctx context.Context, m delivery.Message) delivery.Result

	mu  sync.Mutex // guards got
	got []handed
}

type handed struct {
	message delivery.Message
	at      time.Time
}

func (c *carrier) Name() string  { return c.name }
func (c *carrier) Dedupes() bool { return c.dedupes }

func (c *carrier) Submit(ctx context.Context, m delivery.Message) delivery.Result {
	c.mu.Lock()
	c.got = append(c.got, handed{m, time.Now()})
	c.mu.Unlock()
	return c.answer(ctx, m)
}

// times returns when messages came, counted from start.
func (c *carrier) times(start time.Time) []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	var times []time.Duration
	for _, h := range c.got {
		times = append(times, h.at.Sub(start))
	}
	return times
}

// asked returns how often the carrier was asked.
func (c *carrier) asked() int { return len(c.refs()) }

// messages returns what came, in order.
func (c *carrier) messages() []delivery.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []delivery.Message
	for _, h := range c.got {
		all = append(all, h.message)
	}
	return all
}

// refs returns the references that came, in order.
func (c *carrier) refs() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var refs []string
	for _, h := range c.got {
		refs = append(refs, h.message.Dedupe)
	}
	return refs
}

// accepting takes everything at once, without a receipt.
func accepting(name string) *carrier {
	return &carrier{name: name, answer: func(_ context.Context, m delivery.Message) delivery.Result {
		return delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe}
	}}
}

// answering gives its results in turn, the last one again and again.
func answering(name string, results ...delivery.Result) *carrier {
	c := &carrier{name: name}
	c.answer = func(context.Context, delivery.Message) delivery.Result {
		c.mu.Lock()
		defer c.mu.Unlock()
		return results[min(len(c.got), len(results))-1]
	}
	return c
}

// routes are carriers by channel.
type routes map[message.Channel][]delivery.Carrier

func (r routes) Route(c message.Channel, _ phone.Recipient, _ string) []delivery.Carrier { return r[c] }

func someone(t testing.TB) phone.Recipient {
	t.Helper()
	n, err := phone.FromE164("+4915112345678")
	if err != nil {
		t.Fatal(err)
	}
	return n.Recipient()
}

var errDown = errors.New("down")

func config(m *memory, r delivery.Router) delivery.DispatcherConfig {
	return delivery.DispatcherConfig{
		Store: m, Router: r, Node: "n1", Log: slog.New(slog.DiscardHandler), Now: time.Now,
		Open: func(_, id string, sealed []byte) (otp.Code, error) {
			if string(sealed) != "sealed "+id {
				return otp.Code{}, errors.New("sealed for another")
			}
			return otp.NewCode("483920"), nil
		},
		Jitter: func(limit time.Duration) time.Duration { return limit - 1 },
	}
}

// run runs a dispatcher until the test ends or stop is called, which waits.
func run(t testing.TB, c delivery.DispatcherConfig) (d *delivery.Dispatcher, stop func() error) {
	t.Helper()
	d = delivery.NewDispatcher(c)
	return d, start(t, d)
}

func start(t testing.TB, d *delivery.Dispatcher) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	return func() error {
		cancel()
		return <-ended
	}
}

// sms is a step that waits a minute for its receipt.
func sms() delivery.Step {
	return delivery.Step{Channel: message.SMS, Wait: time.Minute, Text: message.Parse("code {c}", []message.Placeholder{{Token: "{c}", Code: true}})}
}

func voice() delivery.Step {
	s := sms()
	s.Channel = message.Voice
	return s
}
