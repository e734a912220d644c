package delivery_test

import (
	"context"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// unpaid asks for the operator after a while.
func unpaid(name string, after time.Duration) *carrier {
	return &carrier{name: name, answer: func(context.Context, delivery.Message) delivery.Result {
		time.Sleep(after)
		return delivery.Result{Class: delivery.Config, Failure: refused}
	}}
}

func TestNoSubmitBeginsWhileDraining(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		second := accepting("c2")
		_, stop := run(t, config(m, routes{message.SMS: {unpaid("c1", 2*time.Second), second}}))
		m.send("o1", someone(t), 3*time.Minute, sms())
		time.Sleep(time.Second)
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
		if n := second.asked(); n != 0 {
			t.Errorf("%d submits began while draining, want 0", n)
		}
		_, stop = run(t, config(m, routes{message.SMS: {second}}))
		synctest.Wait()
		if n := second.asked(); n != 1 {
			t.Errorf("%d submits after a restart, want 1 at once", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestOneDeliveryAtATimeProbesACarrier(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		c := unpaid("c1", time.Second)
		d, stop := run(t, config(m, routes{message.SMS: {c}}))
		send := func(n int) {
			for range n {
				m.send("o"+strconv.Itoa(len(m.rows)), someone(t), 3*time.Minute, sms())
			}
			d.Wake()
			time.Sleep(2 * time.Second)
		}
		send(1)
		time.Sleep(time.Minute)
		send(5)
		if n := c.asked(); n != 2 {
			t.Errorf("%d submits, want the first and one of five as a probe", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestALongRouteIsTriedUnderSeveralLeases(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		carriers := []*carrier{unpaid("c1", 19*time.Second), unpaid("c2", 19*time.Second), unpaid("c3", 19*time.Second), accepting("c4")}
		var route []delivery.Carrier
		for _, c := range carriers {
			inner := c.answer
			c.answer = func(ctx context.Context, msg delivery.Message) delivery.Result {
				m.mu.Lock()
				left := time.Until(m.rows[0].lease)
				m.mu.Unlock()
				if left < 25*time.Second {
					t.Errorf("%s was asked %v before the end of the lease", c.name, left)
				}
				return inner(ctx, msg)
			}
			route = append(route, c)
		}
		_, stop := run(t, config(m, routes{message.SMS: route}))
		m.send("o1", someone(t), 10*time.Minute, sms())
		time.Sleep(5 * time.Minute)
		for _, c := range carriers {
			if n := c.asked(); n != 1 {
				t.Errorf("%s was asked %d times, want once", c.name, n)
			}
		}
		if diff := cmp.Diff([]string{"SMS DISPATCHED"}, m.told()); diff != "" {
			t.Errorf("events (-want +got):\n%s", diff)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestNothingIsSentForAnExpiredOTP(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		second := accepting("c2")
		_, stop := run(t, config(m, routes{message.SMS: {unpaid("c1", 6*time.Second), second}}))
		m.send("o1", someone(t), 5*time.Second, sms())
		time.Sleep(5 * time.Minute)
		if n := second.asked(); n != 0 {
			t.Errorf("%d submits after the OTP's end, want 0", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}

func TestASickDatabaseIsNotHammered(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMemory()
		var claims atomic.Int32
		m.fail = func(call string) error {
			if call == "claim" {
				claims.Add(1)
				return errDown
			}
			return nil
		}
		d, stop := run(t, config(m, routes{}))
		for range 60_000 {
			d.Wake()
			time.Sleep(time.Millisecond)
		}
		if n := claims.Load(); n > 30 {
			t.Errorf("%d claims in a minute of failures, want about 20", n)
		}
		if err := stop(); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
