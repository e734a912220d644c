package delivery_test

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
)

// hanging answers only when its context ends.
func hanging(name string) *carrier {
	return &carrier{name: name, answer: func(ctx context.Context, _ delivery.Message) delivery.Result {
		<-ctx.Done()
		return delivery.Result{Class: delivery.Uncertain, Failure: refused}
	}}
}

func TestAHangingCarrierDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		stuck, quick := hanging("stuck"), accepting("quick")
		c := config(m, routes{message.SMS: {stuck}, message.Voice: {quick}})
		c.Workers, c.PerCarrier = 8, 3
		start := time.Now()
		for i := range 300 {
			m.send("s"+strconv.Itoa(i), someone(t), 10*time.Minute, sms())
		}
		m.send("v", someone(t), 10*time.Minute, voice())
		_, stop := run(t, c)
		time.Sleep(19 * time.Second)
		if times := quick.times(start); len(times) != 1 || times[0] > 50*time.Millisecond {
			t.Errorf("the other carrier was asked after %v, want once within 50ms", times)
		}
		if n := len(stuck.refs()); n != 3 {
			t.Errorf("%d submits at the carrier that hangs, want 3", n)
		}
		// 297 wait in the database and come back about as fast as the carrier
		// is assumed to work, not over and over.
		if n := m.count("claim"); n > 4000 {
			t.Errorf("%d claims in 19s, want no busy loop", n)
		}
		time.Sleep(2 * time.Second)
		if n := len(stuck.refs()); n != 6 {
			t.Errorf("%d submits once the first had ended, want 6", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestADeferredDeliveryIsNoTry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		slow := &carrier{name: "slow"}
		slow.answer = func(_ context.Context, msg delivery.Message) delivery.Result {
			time.Sleep(time.Second)
			return delivery.Result{Class: delivery.Accepted, Ref: msg.Dedupe}
		}
		c := config(m, routes{message.SMS: {slow}})
		c.PerCarrier = 1
		for i := range 3 {
			m.send("o"+strconv.Itoa(i), someone(t), time.Minute, sms())
		}
		_, stop := run(t, c)
		time.Sleep(30 * time.Second)
		var tries []int
		for _, msg := range slow.messages() {
			tries = append(tries, msg.Try)
		}
		if diff := cmp.Diff([]int{1, 1, 1}, tries); diff != "" {
			t.Errorf("tries (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"SMS DISPATCHED", "SMS DISPATCHED", "SMS DISPATCHED"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestAClaimedDeliveryOfAnEndedOTPIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		second := accepting("c2")
		var d *delivery.Dispatcher
		first := &carrier{name: "c1", answer: func(_ context.Context, msg delivery.Message) delivery.Result {
			m.verify(msg.OTPID)
			d.Ended(msg.Account, msg.OTPID) // it is claimed; its submit to c2 has not begun
			return delivery.Result{Class: delivery.Config, Failure: refused}
		}}
		cfg := config(m, routes{message.SMS: {first, second}})
		m.send("ended", someone(t), time.Hour, sms())
		d = delivery.NewDispatcher(cfg)
		stop := start(t, d)
		synctest.Wait()
		m.send("other", someone(t), time.Hour, sms())
		d.Wake()
		time.Sleep(10 * time.Minute)
		if diff := cmp.Diff([]string{"other/1"}, second.refs()); diff != "" {
			t.Errorf("submits to c2 (-want +got):\n%s", diff)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestAnOTPThatEndsWhileItIsClaimedIsDropped(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := accepting("c1")
		var d *delivery.Dispatcher
		m.claiming = func() {
			m.claiming = nil
			m.verify("ended")
			d.Ended("acme", "ended") // the database has claimed it, the dispatcher does not know yet
		}
		d = delivery.NewDispatcher(config(m, routes{message.SMS: {c}}))
		m.send("ended", someone(t), time.Hour, sms())
		m.send("other", someone(t), time.Hour, sms())
		for range 3 {
			if _, err := d.Step(t.Context()); err != nil {
				t.Errorf("Step = %v", err)
			}
			time.Sleep(10 * time.Minute)
		}
		if diff := cmp.Diff([]string{"other/1"}, c.refs()); diff != "" {
			t.Errorf("submits (-want +got):\n%s", diff)
		}
	})
}

func TestANodeThatStoodStillAfterItsClaimAsksAnewBeforeItSubmits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := accepting("c1")
		m.claiming = func() {
			m.claiming = nil
			time.Sleep(6 * time.Second) // meanwhile another node works
			m.verify("ended")           // and nobody tells this one
		}
		d := delivery.NewDispatcher(config(m, routes{message.SMS: {c}}))
		m.send("ended", someone(t), time.Hour, sms())
		m.send("other", someone(t), time.Hour, sms())
		for range 3 {
			if _, err := d.Step(t.Context()); err != nil {
				t.Errorf("Step = %v", err)
			}
			time.Sleep(time.Second)
		}
		if diff := cmp.Diff([]string{"other/1"}, c.refs()); diff != "" {
			t.Errorf("submits (-want +got):\n%s", diff)
		}
		if n := c.messages()[0].Try; n != 1 {
			t.Errorf("the first submit is try %d, want 1", n)
		}
	})
}

// D-03: the OTP ends elsewhere, and nobody tells this node, while it is at work.
func TestNothingLeavesForAnOTPThatEndedElsewhereMeanwhile(t *testing.T) {
	t.Parallel()
	refuse := delivery.Result{Class: delivery.Config, Failure: otp.Failure{Code: "password"}}
	for name, slow := range map[string]func(m *memory) *carrier{
		"while the carrier before took its time": func(m *memory) *carrier {
			return &carrier{name: "a", answer: func(context.Context, delivery.Message) delivery.Result {
				time.Sleep(9 * time.Second)
				m.verify("1")
				return refuse
			}}
		},
		"while it waited for its turn": func(m *memory) *carrier {
			return &carrier{name: "a", answer: func(ctx context.Context, msg delivery.Message) delivery.Result {
				if msg.Over(ctx) {
					t.Errorf("a message is over at once")
				}
				time.Sleep(time.Second)
				m.verify("1")
				if msg.Over(ctx) {
					return delivery.Result{Class: delivery.Deferred}
				}
				return delivery.Result{Class: delivery.Accepted, Ref: "left"}
			}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				before := m.told()
				a, b := slow(m), accepting("b")
				d, stop := run(t, config(m, routes{message.SMS: {a, b}}))
				m.send("1", someone(t), time.Hour, sms())
				d.Wake()
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				if diff := cmp.Diff(before, m.told()); diff != "" || b.asked() != 0 || a.asked() != 1 {
					t.Errorf("a was asked %d times, b %d; told (-want +got):\n%s", a.asked(), b.asked(), diff)
				}
				_ = stop()
			})
		})
	}
}

func TestAMessageWaitsWhileTheDatabaseDoesNotSayWhetherItsOTPIsOpen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var down atomic.Bool
		down.Store(true)
		m.fail = func(call string) error {
			if call == "may" && down.Load() {
				return errors.New("the database is away")
			}
			return nil
		}
		var left atomic.Int32
		a := &carrier{name: "a", answer: func(ctx context.Context, msg delivery.Message) delivery.Result {
			time.Sleep(time.Second)
			if msg.Over(ctx) {
				return delivery.Result{Class: delivery.Deferred}
			}
			left.Add(1)
			return delivery.Result{Class: delivery.Accepted, Ref: msg.Dedupe}
		}}
		c, handed := config(m, routes{message.SMS: {a}}), &latencies{}
		c.Observer = handed
		d, stop := run(t, c)
		m.send("1", someone(t), 5*time.Minute, sms())
		d.Wake()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if left.Load() != 0 || a.asked() < 3 {
			t.Errorf("%d left, the carrier was asked %d times; want none, and more tries", left.Load(), a.asked())
		}
		down.Store(false)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if last := a.messages()[a.asked()-1]; left.Load() != 1 || last.Try != 1 {
			t.Errorf("%d left, the last as try %d; want one, as the first", left.Load(), last.Try)
		}
		if len(handed.all) != 1 || handed.all[0] < 9*time.Second {
			t.Errorf("handed over for the first time after %v; want once, when the database was back", handed.all)
		}
		_ = stop()
	})
}

func TestWhatAKilledNodeHadClaimedIsHandedOverAgainAfterTheLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		killed := atomic.Bool{}
		m.fail = func(call string) error {
			if killed.Load() && call != "claim" {
				return errDown // what a dead node wants is not done
			}
			return nil
		}
		c := &carrier{name: "c1"}
		c.answer = func(_ context.Context, msg delivery.Message) delivery.Result {
			killed.Store(c.asked() == 1) // after the submit, before its record
			return delivery.Result{Class: delivery.Accepted, Ref: msg.Dedupe}
		}
		cfg := config(m, routes{message.SMS: {c}})
		begun := time.Now()
		m.send("o1", someone(t), 3*time.Minute, sms())
		_, stop := run(t, cfg)
		synctest.Wait()
		_ = stop() // the node never records, nor gives up its lease
		killed.Store(false)
		if n := len(m.told()); n != 0 {
			t.Fatalf("%d events recorded by the killed node", n)
		}

		cfg.Node = "n2"
		_, stop = run(t, cfg)
		time.Sleep(2 * time.Minute)
		if diff := cmp.Diff([]string{"o1/1", "o1/1"}, c.refs()); diff != "" {
			t.Errorf("submits (-want +got):\n%s", diff)
		}
		if again := c.times(begun)[1]; again < time.Minute || again > time.Minute+time.Second {
			t.Errorf("handed over again after %v, want right after the lease of 1m", again)
		}
		if diff := cmp.Diff([]string{"SMS DISPATCHED"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestARestartedNodeTakesUpItsWorkAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.send("o1", someone(t), 3*time.Minute, sms())
		if jobs, _, err := m.ClaimDeliveries(t.Context(), "n1", 1, time.Minute); len(jobs) != 1 || err != nil {
			t.Fatalf("ClaimDeliveries = %d jobs, %v", len(jobs), err)
		}
		c := accepting("c1")
		cfg := config(m, routes{message.SMS: {c}})
		cfg.Resume = true
		_, stop := run(t, cfg)
		synctest.Wait()
		if n := len(c.refs()); n != 1 {
			t.Errorf("%d submits at the start, want 1", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestDraining(t *testing.T) {
	t.Parallel()
	stubborn := func(release <-chan struct{}) *carrier {
		return &carrier{name: "c1", answer: func(context.Context, delivery.Message) delivery.Result {
			<-release
			return delivery.Result{Class: delivery.Retry}
		}}
	}
	slow := func() *carrier {
		return &carrier{name: "c1", answer: func(ctx context.Context, m delivery.Message) delivery.Result {
			select {
			case <-ctx.Done():
				return delivery.Result{Class: delivery.Uncertain}
			case <-time.After(4 * time.Second):
				return delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe}
			}
		}}
	}
	for _, c := range []struct {
		name   string
		make   func(release <-chan struct{}) *carrier
		took   time.Duration
		err    error
		events []string
	}{
		{"lets a slow submit end", func(<-chan struct{}) *carrier { return slow() }, 4 * time.Second, nil, []string{"SMS DISPATCHED"}},
		{"ends a hanging one", func(<-chan struct{}) *carrier { return hanging("c1") }, 5 * time.Second, nil, []string{"SMS DISPATCHED"}},
		{"does not wait for a stubborn one", stubborn, 6 * time.Second, delivery.ErrStuck, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				m := newMemory()
				a := c.make(release)
				cfg := config(m, routes{message.SMS: {a}})
				cfg.PerCarrier = 1
				m.send("o1", someone(t), 3*time.Minute, sms())
				d, stop := run(t, cfg)
				synctest.Wait()
				start := time.Now()
				m.send("o2", someone(t), 3*time.Minute, sms())
				err := stop()
				if took := time.Since(start); took != c.took {
					t.Errorf("Run ended after %v, want %v", took, c.took)
				}
				if !errors.Is(err, c.err) {
					t.Errorf("Run = %v, want %v", err, c.err)
				}
				d.Wake()
				time.Sleep(time.Minute)
				if diff := cmp.Diff([]string{"o1/1"}, a.refs()); diff != "" {
					t.Errorf("submits (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff(c.events, m.told()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if diff := cmp.Diff([]string{"n1"}, m.released); diff != "" {
					t.Errorf("leases given up (-want +got):\n%s", diff)
				}
				close(release)
			})
		})
	}
}

func TestASilentChannelFallsBackWhenItsWaitIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		pbx := accepting("pbx")
		d, stop := run(t, config(m, routes{message.SMS: {accepting("c1")}, message.Voice: {pbx}}))
		start := time.Now()
		m.send("o1", someone(t), 4*time.Minute, sms(), voice())
		m.send("o2", someone(t), 4*time.Minute, sms(), voice())
		d.Wake()
		time.Sleep(20 * time.Second)
		m.verify("o2")
		d.Ended("acme", "o2")
		time.Sleep(5 * time.Minute)
		if diff := cmp.Diff([]time.Duration{time.Minute}, pbx.times(start)); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		want := []string{"SMS DISPATCHED", "SMS DISPATCHED", "SMS TIMED_OUT", "VOICE DISPATCHED", "VOICE TIMED_OUT"}
		if diff := cmp.Diff(want, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestAReceiptMayComeBeforeItsSubmitIsRecorded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		sick := m.unrecording()
		var told atomic.Int32
		cfg := config(m, routes{message.SMS: {accepting("c1")}})
		cfg.OnEvents = func() { told.Add(1) }
		d, stop := run(t, cfg)
		m.send("o1", someone(t), 3*time.Minute, sms())
		d.Wake()
		time.AfterFunc(3*time.Second, func() { sick.Store(false) })
		known, err := d.Receive(t.Context(), delivery.Receipt{Carrier: "c1", Ref: "o1/1", State: delivery.ReceiptDelivered})
		if !known || err != nil {
			t.Errorf("Receive = %v, %v; want known", known, err)
		}
		if diff := cmp.Diff([]string{"SMS DISPATCHED", "SMS DELIVERED"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if n := told.Load(); n != 2 {
			t.Errorf("OnEvents was called %d times, want 2", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestAnUnknownReceiptIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		d := delivery.NewDispatcher(config(m, routes{}))
		start := time.Now()
		known, err := d.Receive(t.Context(), delivery.Receipt{Carrier: "c1", Ref: "nobody's", State: delivery.ReceiptDelivered})
		if took := time.Since(start); known || err != nil || took < 5*time.Second || took > 6*time.Second {
			t.Errorf("Receive = %v, %v after %v; want unknown after 5s", known, err, took)
		}
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Second, errDown)
		defer cancel()
		if known, err := d.Receive(ctx, delivery.Receipt{Carrier: "c1", Ref: "nobody's"}); known || !errors.Is(err, errDown) {
			t.Errorf("Receive with an ending context = %v, %v; want its cause", known, err)
		}
	})
}

func TestAReceiptIsWaitedForNoLongerIfTheDatabaseIsSlow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		m.fail = func(string) error { time.Sleep(400 * time.Millisecond); return nil }
		d := delivery.NewDispatcher(config(m, routes{}))
		start := time.Now()
		known, err := d.Receive(t.Context(), delivery.Receipt{Carrier: "c1", Ref: "nobody's", State: delivery.ReceiptDelivered})
		if took := time.Since(start); known || err != nil || took < 5*time.Second || took > 6500*time.Millisecond {
			t.Errorf("Receive = %v, %v after %v; want unknown soon after 5s", known, err, took)
		}
	})
}

func TestAFloodOfForeignReceiptsEndsItsOwnWaitsAndNotThoseOfOurs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		sick := m.unrecording()
		d, stop := run(t, config(m, routes{message.SMS: {accepting("c1")}}))
		m.send("o1", someone(t), 3*time.Minute, sms())
		d.Wake()
		synctest.Wait()
		var over atomic.Int32
		foreign := func() {
			known, err := d.Receive(t.Context(), delivery.Receipt{Carrier: "c1", Ref: "nobody's"})
			if known || err != nil {
				t.Errorf("Receive of nobody's receipt = %v, %v; want unknown", known, err)
			}
			over.Add(1)
		}
		for range delivery.MaxLate {
			go foreign()
		}
		synctest.Wait()
		if n := over.Load(); n != 0 {
			t.Errorf("%d receipts were given up at once; want all to wait", n)
		}
		ours := make(chan bool)
		go func() {
			known, err := d.Receive(t.Context(), delivery.Receipt{Carrier: "c1", Ref: "o1/1", State: delivery.ReceiptDelivered})
			ours <- known && err == nil
		}()
		synctest.Wait()
		if n := over.Load(); n != 1 {
			t.Errorf("%d receipts were given up for one more; want one", n)
		}
		for range delivery.MaxLate - 1 { // and as many as do not end the wait of ours
			go foreign()
		}
		synctest.Wait()
		sick.Store(false)
		if !<-ours {
			t.Error("the receipt of ours was given up; want it known")
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
		time.Sleep(10 * time.Second)
	})
}

func TestAFailureReceiptStartsTheNextStepAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		pbx := accepting("pbx")
		d, stop := run(t, config(m, routes{message.SMS: {accepting("c1")}, message.Voice: {pbx}}))
		m.send("o1", someone(t), 4*time.Minute, sms(), voice())
		d.Wake()
		time.Sleep(10*time.Second + time.Millisecond)
		start := time.Now()
		known, err := d.Receive(t.Context(), delivery.Receipt{Carrier: "c1", Ref: "o1/1", State: delivery.ReceiptUndeliverable, Failure: refused})
		synctest.Wait()
		if !known || err != nil {
			t.Errorf("Receive = %v, %v; want known", known, err)
		}
		if diff := cmp.Diff([]time.Duration{0}, pbx.times(start)); diff != "" {
			t.Errorf("calls (-want +got):\n%s", diff)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestTheDatabaseMayFailForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		down := atomic.Bool{}
		m.fail = func(string) error {
			if down.Load() {
				return errDown
			}
			return nil
		}
		c := accepting("c1")
		d, stop := run(t, config(m, routes{message.SMS: {c}}))
		synctest.Wait()
		down.Store(true)
		for i := range 700 {
			m.send("o"+strconv.Itoa(i), someone(t), 3*time.Minute, sms())
			d.Wake()
		}
		time.Sleep(30 * time.Second)
		down.Store(false)
		time.Sleep(6 * time.Second)
		if n := len(c.refs()); n != 700 {
			t.Errorf("%d submits, want 700", n)
		}
		if n := len(m.told()); n != 700 {
			t.Errorf("%d events, want 700", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestAnOutcomeThatCannotBeRecordedStopsNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		poisoned := &poison{memory: m}
		// All answers come at one moment, so that batches have several.
		c := &carrier{name: "c1", answer: func(_ context.Context, msg delivery.Message) delivery.Result {
			time.Sleep(time.Second)
			return delivery.Result{Class: delivery.Accepted, Ref: msg.Dedupe}
		}}
		cfg := config(m, routes{message.SMS: {c}})
		cfg.Store = poisoned
		for i := range 50 {
			m.send("o"+strconv.Itoa(i), someone(t), 10*time.Minute, sms())
		}
		_, stop := run(t, cfg)
		time.Sleep(30 * time.Second)
		if n := len(m.told()); n != 49 {
			t.Errorf("%d of the other 49 were recorded within 30s", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// poison refuses every batch with the OTP o7, and takes its time.
type poison struct{ *memory }

func (p *poison) RecordSubmits(ctx context.Context, outcomes []delivery.SubmitOutcome) (bool, error) {
	time.Sleep(3 * time.Millisecond)
	if slices.ContainsFunc(outcomes, func(o delivery.SubmitOutcome) bool { return o.OTPID == "o7" }) {
		return false, errDown
	}
	return p.memory.RecordSubmits(ctx, outcomes)
}

func TestOutcomesAreRecordedTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := &carrier{name: "c1", answer: func(_ context.Context, msg delivery.Message) delivery.Result {
			time.Sleep(time.Second)
			return delivery.Result{Class: delivery.Accepted, Ref: msg.Dedupe}
		}}
		cfg := config(m, routes{message.SMS: {c}})
		slow := &slowRecord{memory: m}
		cfg.Store = slow
		for i := range 200 {
			m.send("o"+strconv.Itoa(i), someone(t), 10*time.Minute, sms())
		}
		_, stop := run(t, cfg)
		time.Sleep(10 * time.Second)
		if n, told := m.count("record"), len(m.told()); n > 10 || told != 200 {
			t.Errorf("%d outcomes in %d transactions, want 200 in a few", told, n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// slowRecord needs a moment for a commit.
type slowRecord struct{ *memory }

func (s *slowRecord) RecordSubmits(ctx context.Context, outcomes []delivery.SubmitOutcome) (bool, error) {
	time.Sleep(3 * time.Millisecond)
	return s.memory.RecordSubmits(ctx, outcomes)
}

func TestAnOutcomeThatCannotBeRecordedDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		poisoned := &poison{memory: m}
		cfg := config(m, routes{message.SMS: {accepting("c1")}})
		cfg.Store = poisoned
		d, stop := run(t, cfg)
		m.send("o7", someone(t), 10*time.Minute, sms())
		d.Wake()
		time.Sleep(time.Second)
		for i := range 200 {
			m.send("p"+strconv.Itoa(i), someone(t), 10*time.Minute, sms())
			d.Wake()
			time.Sleep(50 * time.Millisecond)
			if n := len(m.told()); i > 40 && n < i {
				t.Errorf("%d of %d others were recorded 50 ms later", n, i+1)
			}
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestAnOutcomeIsRecordedWithoutWhatItsCarrierSaidIfThatCannotBe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		picky := &unfitting{memory: m}
		c := &carrier{name: "c1", answer: func(_ context.Context, msg delivery.Message) delivery.Result {
			switch msg.OTPID {
			case "taken":
				return delivery.Result{Class: delivery.Accepted, Ref: "unfit"}
			case "refused":
				return delivery.Result{Class: delivery.Permanent, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "unfit"}}
			case "over":
				return delivery.Result{Class: delivery.Accepted, Ref: "r", Receipt: &delivery.Receipt{State: delivery.ReceiptUndeliverable, Failure: otp.Failure{Code: "unfit"}}}
			}
			return delivery.Result{Class: delivery.Accepted, Ref: msg.Dedupe}
		}}
		cfg := config(m, routes{message.SMS: {c}})
		cfg.Store = picky
		d, stop := run(t, cfg)
		for _, id := range []string{"taken", "refused", "over"} {
			m.send(id, someone(t), 10*time.Minute, sms())
		}
		for i := range 30 {
			m.send("p"+strconv.Itoa(i), someone(t), 10*time.Minute, sms())
			d.Wake()
			time.Sleep(time.Second)
		}
		got := slices.DeleteFunc(m.told(), func(line string) bool { return line == "SMS DISPATCHED" })
		if want := []string{"SMS UNDELIVERABLE internal::500", "SMS UNDELIVERABLE internal::500"}; !slices.Equal(got, want) || len(m.told()) != 34 {
			t.Errorf("%d events, %q but for DISPATCHED; want 34 and %q", len(m.told()), got, want)
		}
		if n := c.asked(); n != 33 {
			t.Errorf("the carrier was asked %d times, want once for each of 33", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

// unfitting refuses every batch with a text "unfit" of a carrier.
type unfitting struct{ *memory }

func (u *unfitting) RecordSubmits(ctx context.Context, outcomes []delivery.SubmitOutcome) (bool, error) {
	const text = "unfit"
	for _, o := range outcomes {
		r := o.Result
		said := r.Receipt != nil && r.Receipt.Failure.Code == text
		for _, try := range o.Tries {
			said = said || try.Failure.Code == text
		}
		if said || r.Ref == text || r.Failure.Code == text {
			return false, errDown
		}
	}
	return u.memory.RecordSubmits(ctx, outcomes)
}
