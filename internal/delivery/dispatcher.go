package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// Defaults and bounds of the dispatcher.
const (
	defaultWorkers    = 1024             // claimed deliveries at a time; a waiting submit is a small goroutine
	defaultPerCarrier = 256              // of them at one carrier, so that three that hang leave room for the rest
	defaultLease      = 60 * time.Second // how long a dead node's work waits; longer than submitBound and its recording

	claimBatch  = 100                    // deliveries a claim: enough to share its commit, few enough to start soon
	poll        = 200 * time.Millisecond // how soon work of other nodes is found
	submitBound = 20 * time.Second       // one submit; carriers have shorter bounds of their own
	freshTime   = 250 * time.Millisecond // from what the database said to the submit; later, another process may long have ended the OTP
	askBound    = 2 * time.Second        // for the database to say it again
	leaseMargin = 5 * time.Second        // of a lease, kept for recording what came of its last submit
	drainBound  = 5 * time.Second        // for submits in flight when the dispatcher is to end
	drainGrace  = time.Second            // for carriers to return once their context has ended
	closeBound  = 5 * time.Second        // for recording the last outcomes and giving up the leases
)

// ErrStuck is returned by Run if a carrier did not return though its context
// had ended.
var ErrStuck = errors.New("a carrier did not return when its context ended")

// What contexts of submits end with, as context.Cause tells.
var (
	errSubmitBound = errors.New("the submit took too long")
	errDraining    = errors.New("the server is ending")
)

// ErrKeyUnknown says that this node does not have the root key that a code was sealed
// under, as while keys are changed node by node (C-06).
var ErrKeyUnknown = errors.New("the root key is not among this node's")

// DispatcherConfig is what a Dispatcher is made of. Store, Router, Open,
// Node, Log and Now are needed; the zero value of every other field works.
type DispatcherConfig struct {
	Store  Store
	Router Router
	// Open opens the code that was sealed for the deliveries of an OTP;
	// ErrKeyUnknown where another node may be able to and this one is not.
	Open func(account, otpID string, sealed []byte) (otp.Code, error)
	// Node names this process in leases; no other that runs has the name.
	Node string
	Log  *slog.Logger
	// Now is the store's clock.
	Now func() time.Time
	// Wall is the clock of the carriers, this process's own; by default Now.
	Wall func() time.Time
	// Resume gives up, when Run begins, the leases that an earlier process of
	// this Node left, so that its work need not wait for their end. Only for
	// stores that one process at a time serves from.
	Resume bool
	// Workers is how many deliveries are claimed at a time, 1,024 by default;
	// PerCarrier how many of them are handed to one carrier, 256 by default.
	// More wait in the database.
	Workers, PerCarrier int
	// Carriers is how many carriers the router has, 0 if that is not known. No
	// more is claimed than they take at a time: what is claimed only to be put
	// back costs the database as much as what is delivered.
	Carriers int
	// Lease is how long claimed work is this node's, 60 s by default and 30 s
	// at least. What a killed node had claimed is handed over again after it.
	Lease time.Duration
	// Jitter returns a random duration from 0 up to, not including, limit,
	// which is more than 0; by default that of math/rand/v2.
	Jitter func(limit time.Duration) time.Duration
	// Observer is told what happens, for metrics; nil for none. Its methods do
	// not block.
	Observer Observer
	// OnEvents is called after events were recorded, so that they can be
	// pushed; nil for nothing. It does not block.
	OnEvents func()
}

// Dispatcher does what the Store says is due: it claims deliveries, hands each
// to the carriers of its route until one takes it, records what came of it, and
// ends the waits for receipts.
//
// Towards carriers it keeps the rules of submits: Retry backs off, half a
// second doubled with every try up to ten, with full jitter; each carrier of
// the route has an equal share of the step's wait for that, counted from when
// the delivery was queued, and never past the OTP's end; then the next carrier
// is tried. Config closes the carrier to everyone for 30 to 60 s and goes on
// with the next carrier; a Config that is the message's own only goes on, unless
// messages of two accounts meet one with none taken in between. While a carrier
// has no room the delivery waits for it, and those that refused before are not
// asked again. A carrier that fails over and over is skipped as long where the
// route has another one. Permanent ends the delivery. Uncertain is repeated where
// the carrier recognises a repetition, and otherwise recorded as it is; after it
// no other carrier gets the message, and it counts as dispatched whatever else comes.
//
// A submit that was answered and not recorded (the process was killed) is
// repeated under the same dedupe reference when the lease has ended (D-03).
//
// Its methods may be called at once, except that Step is not for use beside
// Run.
type Dispatcher struct {
	cfg      DispatcherConfig
	claims   claims
	carriers carriers
	outcomes outcomes
	late     lateness      // each Receive that waits for its submit's recording
	wake     chan struct{} // of size 1: something may be due now
	freed    chan struct{} // of size 1: a claimed delivery is settled
	workers  sync.WaitGroup
	routed   atomic.Int64 // since when the routes are as they are, in microseconds
}

// NewDispatcher returns a dispatcher over c. It does nothing before Run.
func NewDispatcher(c DispatcherConfig) *Dispatcher {
	if c.Workers <= 0 {
		c.Workers = defaultWorkers
	}
	if c.PerCarrier <= 0 {
		c.PerCarrier = defaultPerCarrier
	}
	if c.Lease <= 0 {
		c.Lease = defaultLease
	}
	c.Lease = max(c.Lease, submitBound+2*leaseMargin)
	if c.Wall == nil {
		c.Wall = c.Now
	}
	if c.Jitter == nil {
		c.Jitter = rand.N[time.Duration]
	}
	if c.Observer == nil {
		c.Observer = unobserved{}
	}
	if c.OnEvents == nil {
		c.OnEvents = func() {}
	}
	d := &Dispatcher{
		cfg:      c,
		claims:   claims{open: map[otpRef]*claim{}, limit: c.places(c.Carriers)},
		carriers: carriers{known: map[string]*lane{}, places: c.PerCarrier, jitter: c.Jitter},
		outcomes: outcomes{kick: make(chan struct{}, 1)},
		wake:     make(chan struct{}, 1),
		freed:    make(chan struct{}, 1),
	}
	d.routed.Store(c.Now().UnixMicro()) // another process may have had others
	return d
}

// places is how many deliveries are claimed at a time for n carriers.
func (c *DispatcherConfig) places(n int) int {
	if n <= 0 {
		return c.Workers
	}
	return min(c.Workers, n*c.PerCarrier)
}

// SetRoutes says that the router has other routes now, and n carriers, 0 if that is
// not known; see DispatcherConfig.Carriers.
func (d *Dispatcher) SetRoutes(n int) {
	d.routed.Store(d.cfg.Now().UnixMicro())
	d.claims.setLimit(d.cfg.places(n))
}

// Wake says that a delivery may be due now. It does not block.
func (d *Dispatcher) Wake() { signal(d.wake) }

// Ended says that the OTP is over. A claimed delivery of it whose submit has
// not begun is dropped: after Ended returned, no submit for the OTP begins.
// One that has begun goes on. It does not wait for carriers.
func (d *Dispatcher) Ended(account, otpID string) { d.claims.end(otpRef{account, otpID}) }

// Run dispatches until ctx ends. Then it claims nothing more, begins no
// submit, gives those in flight up to 5 s, records what came of them and gives
// up its leases. It returns when everything that it started has ended, or
// ErrStuck if a carrier does not let go. It is called once.
func (d *Dispatcher) Run(ctx context.Context) error {
	apart := context.WithoutCancel(ctx)
	if d.cfg.Resume {
		d.release(apart)
	}
	submits, cancel := context.WithCancelCause(apart)
	defer cancel(nil)
	recorded := make(chan struct{})
	go func() {
		defer close(recorded)
		d.recordAll(apart)
	}()

	d.loop(ctx, submits)

	d.claims.close()
	err := d.drain(func() { cancel(errDraining) })
	d.outcomes.close(d.cfg.Now().Add(closeBound))
	<-recorded
	d.release(apart)
	return err
}

// drain waits for the submits in flight, first patiently, then with their
// contexts ended.
func (d *Dispatcher) drain(cancel func()) error {
	done := make(chan struct{})
	go func() {
		defer close(done)
		d.workers.Wait()
	}()
	patience := time.NewTimer(drainBound)
	defer patience.Stop()
	select {
	case <-done:
		return nil
	case <-patience.C:
	}
	cancel()
	grace := time.NewTimer(drainGrace)
	defer grace.Stop()
	select {
	case <-done:
		return nil
	case <-grace.C:
		return ErrStuck
	}
}

// release gives up the leases of this node.
func (d *Dispatcher) release(ctx context.Context) {
	ctx, cancel := context.WithTimeoutCause(ctx, closeBound, errDraining)
	defer cancel()
	if err := d.cfg.Store.ReleaseDeliveries(ctx, d.cfg.Node); err != nil {
		d.cfg.Log.WarnContext(ctx, "leases not given up; their work waits for their end", slog.Any("err", err))
	}
}

// Step does by itself, one after the other, everything that is due now, until
// nothing is: it claims, submits, records and ends waits, and returns how many
// deliveries it handed over and waits it ended. The store's clock says what is
// due, so that with a clock that stands still Step comes to an end. It is for
// tests and tools, instead of Run and never beside it.
func (d *Dispatcher) Step(ctx context.Context) (worked int, err error) {
	for {
		jobs, _, err := d.claim(ctx, claimBatch)
		if err != nil {
			return worked, err
		}
		for _, j := range jobs {
			if err == nil {
				if out, handed := d.deliver(ctx, j); handed {
					err = d.recordOnce(ctx, []outcome{{SubmitOutcome: out, job: j}})
				}
			}
			d.claims.settle(j.ref())
		}
		if err != nil {
			return worked, err
		}
		n, err := d.endWaits(ctx)
		if err != nil {
			return worked, err
		}
		if worked += len(jobs) + n; len(jobs)+n == 0 {
			return worked, nil
		}
	}
}

// leased is a claimed job.
type leased struct {
	Job
	fresh time.Time // until when what the database said is good; then it is asked anew
	until time.Time // when no submit may begin any more, so that its end is recorded within the lease
}

func (l leased) ref() otpRef { return otpRef{l.Account, l.OTPID} }

// claim leases up to limit due deliveries. Those of OTPs that ended meanwhile
// are left out.
func (d *Dispatcher) claim(ctx context.Context, limit int) ([]leased, time.Time, error) {
	now := d.cfg.Now()
	d.claims.begins()
	found, next, err := d.cfg.Store.ClaimDeliveries(ctx, d.cfg.Node, limit, d.cfg.Lease)
	jobs := d.claims.ends(found, now.Add(freshTime), now.Add(d.cfg.Lease-submitBound-leaseMargin))
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("claim deliveries: %w", err)
	}
	if len(jobs) > 0 {
		var oldest time.Duration
		for _, j := range jobs {
			if j.Tries == 0 {
				oldest = max(oldest, d.cfg.Now().Sub(j.Queued))
			}
		}
		d.cfg.Observer.Claimed(len(jobs), oldest)
	}
	return jobs, next, nil
}

// endWaits ends waits for receipts that are over and returns how many.
func (d *Dispatcher) endWaits(ctx context.Context) (int, error) {
	n, started, err := d.cfg.Store.EndWaits(ctx, claimBatch)
	if err != nil {
		return 0, fmt.Errorf("end waits: %w", err)
	}
	if n > 0 {
		d.cfg.Observer.TimedOut(n)
		d.cfg.OnEvents()
	}
	if started {
		d.Wake()
	}
	return n, nil
}

// signal puts a token into c unless one is there.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
