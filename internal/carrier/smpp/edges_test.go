package smpp_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

// what goes wrong with one receipt is the end of that receipt only.
func TestAReceiptThatLeadsToAPanicIsRefusedAndTheNextOneTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := newSMSC(), newDesk()
		var broken atomic.Bool
		broken.Store(true)
		c, err := smpp.New(config(), smpp.Deps{
			Receive: func(ctx context.Context, r delivery.Receipt) (bool, error) {
				if broken.Load() {
					panic("a mistake of ours")
				}
				return d.receive(ctx, r)
			},
			Log: discard(), Now: time.Now, Observer: d, Dial: s.dial,
		})
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, c)
		for range 3 { // each gives its place among the receipts back
			if got := s.report(t, "7", "DELIVRD"); got != pdu.SystemError {
				t.Errorf("the receipt that leads to a panic is answered with %v; want 0x08", got)
			}
		}
		broken.Store(false)
		if got := s.report(t, "8", "DELIVRD"); got != pdu.OK {
			t.Errorf("the next receipt is answered with %v; want 0x00", got)
		}
		got := d.received()
		if len(got) != 1 || got[0].Ref != "8" || s.dialled() != 1 {
			t.Errorf("receipts %+v over %d connections; want that of 8 over the first", got, s.dialled())
		}
		stop()
	})
}

func TestRareStatusesHaveTheirClassesToo(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		for class, statuses := range map[delivery.Class][]pdu.Status{
			delivery.Retry:     {0xFF},
			delivery.Permanent: {0x0B, 0xFE},
			delivery.Config:    {0x06, 0x61, 0xC0, 0xC1, 0xC2, 0xC3, 0xC4},
		} {
			for _, status := range statuses {
				r.smsc.handle(pdu.SubmitSM, refuses(status))
				if got := r.submit(t, text(t, "{code}")); got.Class != class || got.Failure.Code != status.String() {
					t.Errorf("%s gave %+v; want %v", status, got, class)
				}
			}
		}
	})
}

func TestThrottlingNeverGoesBelowOnePartASecond(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Rate = 4 }, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, refuses(pdu.Throttled))
		var rates []string
		for range 4 {
			r.submit(t, text(t, "{code}"))
			rates = append(rates, r.Binds()[0].Rate)
		}
		if want := []string{"2", "1", "1", "1"}; !slices.Equal(rates, want) {
			t.Errorf("rates %v; want %v", rates, want)
		}
	})
}

// Other messages' failures, long after, forget nothing that is still of use.
func TestAFailedSubmitIsRememberedUntilTheCodesEnd(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, refuses(pdu.SubmitFailed))
		m := text(t, "{code}")
		if got := r.submit(t, m); got.Class != delivery.Retry || got.After != 0 {
			t.Fatalf("the first 0x45 gave %+v; want Retry", got)
		}
		for range 2 {
			time.Sleep(2 * time.Minute)
			r.submit(t, text(t, "{code}"))
		}
		if got := r.submit(t, m); got.Class != delivery.Retry || time.Now().Add(got.After).Before(m.Expires) {
			t.Errorf("the second 0x45, four minutes later, gave %+v; want Retry after the code's end", got)
		}
	})
}
