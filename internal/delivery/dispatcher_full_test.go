package delivery_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/store/storetest"
)

// taking takes each message after a while.
func taking(name string, after time.Duration) *carrier {
	return &carrier{name: name, answer: func(ctx context.Context, m delivery.Message) delivery.Result {
		select {
		case <-ctx.Done():
			return delivery.Result{Class: delivery.Uncertain, Failure: refused}
		case <-time.After(after):
		}
		return delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe}
	}}
}

// twoRoutes sends o1 to the last carrier alone, and others to all.
type twoRoutes []delivery.Carrier

func (r twoRoutes) Route(_ message.Channel, _ phone.Recipient, spread string) []delivery.Carrier {
	if spread == "o1/1" {
		return r[len(r)-1:]
	}
	return r
}

func TestACarrierThatRefusedIsNotAskedAgainWhileTheNextHasNoRoom(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer delivery.Result
		want   []string
	}{
		"to be asked after a minute": {
			delivery.Result{Class: delivery.Retry, After: time.Minute, Failure: refused}, []string{"1/2 a RETRY", "2/2 b ACCEPTED"},
		},
		"what the message asks for cannot be": {
			delivery.Result{Class: delivery.Config, Own: true, Failure: refused}, []string{"1/2 a CONFIG", "2/2 b ACCEPTED"},
		},
		"parts were taken": {
			delivery.Result{Class: delivery.Retry, After: time.Minute, Taken: "1 of 2", Failure: refused}, []string{"1/2 a RETRY", "2/2 b ACCEPTED"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				a, b := answering("a", c.answer), taking("b", 15*time.Second)
				cfg := config(m, twoRoutes{a, b})
				cfg.PerCarrier = 1
				d, stop := run(t, cfg)
				begun := time.Now()
				m.send("o1", someone(t), 5*time.Minute, sms())
				d.Wake()
				synctest.Wait()
				m.send("o2", someone(t), 5*time.Minute, sms())
				d.Wake()
				time.Sleep(40 * time.Second)
				if n := a.asked(); n != 1 {
					t.Errorf("a was asked %d times, at %v; want once", n, a.times(begun))
				}
				got, counted := m.story("o2")
				if diff := cmp.Diff(c.want, got); diff != "" || counted != 2 {
					t.Errorf("%d tries counted, want 2; the story (-want +got):\n%s", counted, diff)
				}
				if last := b.messages()[1]; last.OTPID != "o2" || last.Try != 2 || last.Taken != "" {
					t.Errorf("b got %s as try %d with %q taken; want o2 as the second, nothing taken", last.OTPID, last.Try, last.Taken)
				}
				if diff := cmp.Diff([]string{"SMS DISPATCHED", "SMS DISPATCHED"}, m.told()); diff != "" {
					t.Errorf("events (-want +got):\n%s", diff)
				}
				if err := stop(); err != nil {
					t.Errorf("Run = %v", err)
				}
			})
		})
	}
}

func TestBehindACarrierWithoutRoomTheNextHasItsTurnOnceTheShareOfTimeIsOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		no := delivery.Result{Class: delivery.Config, Own: true, Failure: refused}
		a, b, c := answering("a", no), hanging("b"), accepting("c")
		cfg := config(m, routes{message.SMS: {a, b, c}, message.Voice: {b}})
		cfg.PerCarrier = 1
		d, stop := run(t, cfg)
		m.send("fills", someone(t), 5*time.Minute, voice()) // b has no room for 20 s
		d.Wake()
		synctest.Wait()
		begun := time.Now()
		step := sms()
		step.Wait = 15 * time.Second
		m.send("o1", someone(t), 5*time.Minute, step)
		d.Wake()
		time.Sleep(time.Minute)
		times := c.times(begun)
		if len(times) != 1 || times[0] < 10*time.Second || times[0] > 11*time.Second {
			t.Errorf("c was asked after %v; want it once two thirds of 15s are over", times)
		}
		if a.asked() != 1 || b.asked() != 1 {
			t.Errorf("a was asked %d times, b %d times; want once each", a.asked(), b.asked())
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestWhileACarrierThatFailsHasNoRoomTheOthersAreAskedAgainAsSlowlyAsAlone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		answer delivery.Result
		most   int
	}{
		"what the message asks for cannot be": {delivery.Result{Class: delivery.Config, Own: true, Failure: refused}, 6},
		"to be asked after 90 seconds":        {delivery.Result{Class: delivery.Retry, After: 90 * time.Second, Failure: refused}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMemory()
				failing := delivery.Result{Class: delivery.Retry, After: 2 * time.Second, Failure: refused}
				var slow atomic.Bool
				a := &carrier{name: "a", answer: func(ctx context.Context, _ delivery.Message) delivery.Result {
					if slow.Load() {
						select {
						case <-ctx.Done():
						case <-time.After(20 * time.Second):
						}
					}
					return failing
				}}
				b := answering("b", c.answer)
				cfg := config(m, routes{message.SMS: {a, b}, message.Voice: {a}})
				cfg.PerCarrier = 1
				d, stop := run(t, cfg)
				m.send("fails", someone(t), 5*time.Minute, voice()) // until a's circuit opens
				d.Wake()
				time.Sleep(12 * time.Second)
				if s := circuitOf(t, d); !s.Open {
					t.Fatalf("circuit = %+v; want it open", s)
				}
				slow.Store(true)
				m.send("fills", someone(t), 5*time.Minute, voice()) // asks a though it fails
				d.Wake()
				synctest.Wait()
				m.send("o1", someone(t), 5*time.Minute, sms())
				d.Wake()
				time.Sleep(15 * time.Second)
				if n := b.asked(); n < 1 || n > c.most {
					t.Errorf("b was asked %d times in 15s; want 1 to %d times", n, c.most)
				}
				if err := stop(); err != nil {
					t.Errorf("Run = %v", err)
				}
			})
		})
	}
}

// changing is a router whose routes change.
type changing struct{ atomic.Pointer[routes] }

func (c *changing) Route(ch message.Channel, to phone.Recipient, spread string) []delivery.Carrier {
	return c.Load().Route(ch, to, spread)
}

func TestACarrierThatRoutesNowBeginWithTakesWhatWaitedForTheOneBefore(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]func(r *changing, to routes, d *delivery.Dispatcher, c delivery.DispatcherConfig) *delivery.Dispatcher{
		"after a reload": func(r *changing, to routes, d *delivery.Dispatcher, _ delivery.DispatcherConfig) *delivery.Dispatcher {
			r.Store(&to)
			d.SetRoutes(2)
			return d
		},
		"after a restart": func(r *changing, to routes, _ *delivery.Dispatcher, c delivery.DispatcherConfig) *delivery.Dispatcher {
			r.Store(&to)
			return delivery.NewDispatcher(c)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				sick, _ := moody()
				b := accepting("b")
				m, r := newMemory(), &changing{}
				r.Store(&routes{message.SMS: {sick}})
				c := config(m, r)
				d := delivery.NewDispatcher(c)
				m.send("1", someone(t), 5*time.Minute, sms())
				steps := func(n int) {
					for range n {
						time.Sleep(5 * time.Second)
						if _, err := d.Step(t.Context()); err != nil {
							t.Errorf("Step = %v", err)
						}
					}
				}
				steps(2)
				if sick.asked() == 0 {
					t.Error("a was not asked")
				}
				d = begin(r, routes{message.SMS: {b, sick}}, d, c)
				steps(20)
				if b.asked() != 1 {
					t.Errorf("b was asked %d times, a %d; want b once", b.asked(), sick.asked())
				}
			})
		})
	}
}

func TestWhichCarrierIsNextIsKnownToAnotherNode(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	s := newSystem(t, wall.Now)
	release, entered := make(chan struct{}), make(chan struct{}, 1)
	a := answering("a", delivery.Result{Class: delivery.Retry, After: time.Hour, Failure: otp.Failure{Area: "carrier", Code: "429", Text: "Slowly"}})
	b := &carrier{name: "b", answer: func(_ context.Context, m delivery.Message) delivery.Result {
		if m.Step.Channel == message.Voice {
			entered <- struct{}{}
			<-release
		}
		return delivery.Result{Class: delivery.Accepted, Ref: m.Dedupe}
	}}
	node := func(name string) *delivery.Dispatcher {
		cfg := s.config()
		cfg.Node, cfg.PerCarrier, cfg.Router = name, 1, routes{message.SMS: {a, b}, message.Voice: {b}}
		return delivery.NewDispatcher(cfg)
	}
	busy := node("n1")
	s.send("1111", message.Voice)
	called := make(chan error)
	go func() {
		_, err := busy.Step(t.Context())
		called <- err
	}()
	<-entered
	ref := s.send("1112", message.SMS)
	if _, err := busy.Step(t.Context()); err != nil {
		t.Errorf("Step = %v", err)
	}
	s.want("events without room", s.events(ref))
	wall.Add(time.Second)
	if _, err := node("n2").Step(t.Context()); err != nil {
		t.Errorf("Step = %v", err)
	}
	s.want("events with room", s.events(ref), "SMS DISPATCHED")
	if a.asked() != 1 {
		t.Errorf("a was asked %d times; want once", a.asked())
	}
	rec, err := s.store.OTPRecord(t.Context(), ref.Account, ref.ID)
	if err != nil {
		t.Fatal(err)
	}
	var story []string
	for _, try := range rec.Deliveries[0].Tries {
		story = append(story, try.Carrier+" "+try.Class.String())
	}
	s.want("story", story, "a RETRY", "b ACCEPTED")
	close(release)
	if err := <-called; err != nil {
		t.Errorf("Step = %v", err)
	}
}
