package smpp_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

func TestEveryStatusHasItsClass(t *testing.T) {
	t.Parallel()
	change := func(c *smpp.Config) {
		c.Statuses = map[string]string{"0x401": "RETRY", "1026": "CONFIG", "0x0B": "CONFIG"}
	}
	bubble(t, change, func(t *testing.T, r running) {
		for status, want := range map[pdu.Status]delivery.Class{
			0x08: delivery.Retry, 0x45: delivery.Retry, 0x64: delivery.Retry, 0x67: delivery.Retry,
			0x01: delivery.Permanent, 0x50: delivery.Permanent, 0x51: delivery.Permanent, 0x65: delivery.Permanent,
			0x66: delivery.Permanent, 0x400: delivery.Permanent, 0x4FF: delivery.Permanent, 0x12345: delivery.Permanent,
			0x0A: delivery.Config, 0x0D: delivery.Config, 0x0E: delivery.Config, 0x0F: delivery.Config, 0x05: delivery.Config,
			0x48: delivery.Config, 0x49: delivery.Config, 0x15: delivery.Config, 0x53: delivery.Config, 0x59: delivery.Config,
			0x43: delivery.Config, 0x07: delivery.Config, 0x02: delivery.Config, 0x03: delivery.Config,
			0x401: delivery.Retry, 0x402: delivery.Config, 0x0B: delivery.Config, // as configured
		} {
			r.smsc.handle(pdu.SubmitSM, refuses(status))
			got := r.submit(t, text(t, "{code}"))
			if got.Class != want || got.Failure.Code != status.String() || got.Failure.Area != delivery.AreaCarrier {
				t.Errorf("%s gave %+v; want %v", status, got, want)
			}
		}
	})
}

func TestAFailedSubmitIsTriedOnceAgain(t *testing.T) {
	t.Parallel()
	for _, words := range []string{"{code}", long} { // of a long message every part fails
		bubble(t, nil, func(t *testing.T, r running) {
			r.smsc.handle(pdu.SubmitSM, refuses(pdu.SubmitFailed))
			m := text(t, words)
			m.Try = 7 // the tries of other carriers are no matter
			if got := r.submit(t, m); got.Class != delivery.Retry || got.After != 0 {
				t.Errorf("the first 0x45 gave %+v; want Retry", got)
			}
			if got := r.submit(t, m); got.Class != delivery.Retry || time.Now().Add(got.After).Before(m.Expires) {
				t.Errorf("the second 0x45 gave %+v; want Retry after the code's end", got)
			}
			if got := r.submit(t, text(t, words)); got.Class != delivery.Retry || got.After != 0 {
				t.Errorf("another message's 0x45 gave %+v; want Retry", got)
			}
			time.Sleep(time.Until(m.Expires))
			m.Expires = time.Now().Add(time.Minute)
			if got := r.submit(t, m); got.Class != delivery.Retry || got.After != 0 {
				t.Errorf("0x45 after the code's end gave %+v; want it forgotten and Retry", got)
			}
		})
	}
}

func TestAConfiguredClassOf0x45IsKept(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Statuses = map[string]string{"0x45": "PERMANENT"} }, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, refuses(pdu.SubmitFailed))
		m := text(t, "{code}")
		for range 2 {
			if got := r.submit(t, m); got.Class != delivery.Permanent {
				t.Errorf("0x45 gave %+v; want Permanent", got)
			}
		}
	})
}

func TestAGenericNackIsJudgedByItsStatus(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			p.send(pdu.PDU{ID: pdu.GenericNack, Status: pdu.InvalidPDU, Seq: q.Seq})
		})
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Config {
			t.Errorf("Submit = %+v; want Config", got)
		}
	})
}

func TestAPeerThatDoesNotSeeTheBindIsBoundAnew(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, refuses(pdu.WrongBindState))
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Retry {
			t.Errorf("Submit = %+v; want Retry", got)
		}
		r.smsc.handle(pdu.SubmitSM, nil)
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted || r.smsc.dialled() != 2 {
			t.Errorf("Submit = %+v on connection %d; want Accepted on the second", got, r.smsc.dialled())
		}
	})
}

func TestAMessageCentreThatDislikesValidityGetsItWithoutOnce(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			if q.Body.(*pdu.Message).Validity != "" {
				refuses(pdu.InvalidExpiry)(p, q)
				return
			}
			plain(p, q)
		})
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
			t.Errorf("Submit = %+v; want Accepted", got)
		}
		r.smsc.handle(pdu.SubmitSM, refuses(pdu.InvalidExpiry))
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Config {
			t.Errorf("Submit where nothing helps = %+v; want Config", got)
		}
		if got := len(r.smsc.seen()); got != 4 {
			t.Errorf("%d submits were written; want 4", got)
		}
	})
}

// D-03: what waits for its turn does not leave once its OTP has ended.
func TestAMessageThatIsOverWhenItsTurnComesIsNotWritten(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Rate = 1 }, func(t *testing.T, r running) {
		var over atomic.Bool
		asked := func(context.Context) bool { return over.Load() }
		var all sync.WaitGroup
		results := make([]delivery.Result, 4)
		for i := range results {
			all.Go(func() {
				m := text(t, "{code}")
				m.Over = asked
				results[i] = r.submit(t, m)
			})
		}
		time.Sleep(1500 * time.Millisecond)
		over.Store(true)
		all.Wait()
		taken := 0
		for _, got := range results {
			switch got.Class {
			case delivery.Accepted:
				taken++
			case delivery.Deferred:
			default:
				t.Errorf("Submit = %+v; want Accepted or Deferred", got)
			}
		}
		if written := len(r.smsc.seen()); written != taken || taken == 0 || taken == len(results) {
			t.Errorf("%d taken, %d written; want those whose turn came before", taken, written)
		}
		over.Store(false)
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
			t.Errorf("the next Submit = %+v; want Accepted: the places are free again", got)
		}
	})
}

func TestTheRestOfALongMessageIsNotWrittenOnceItIsOver(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Rate = 1 }, func(t *testing.T, r running) {
		m := text(t, long)
		m.Over = func(context.Context) bool { return len(r.smsc.seen()) > 0 }
		if got := r.submit(t, m); got.Class != delivery.Deferred || len(r.smsc.seen()) != 1 {
			t.Errorf("Submit = %+v with %d parts written; want Deferred with one", got, len(r.smsc.seen()))
		}
	})
}

func TestThrottlingPausesASecondHalvesTheRateAndGrowsAgain(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Rate, c.Window = 20, 100 }, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, refuses(pdu.Throttled))
		got := r.submit(t, text(t, "{code}"))
		if got.Class != delivery.Retry || got.After != time.Second {
			t.Fatalf("Submit = %+v; want Retry after 1s", got)
		}
		r.smsc.handle(pdu.SubmitSM, nil)
		began := time.Now()
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted || time.Since(began) != time.Second {
			t.Errorf("Submit = %+v after %v; want Accepted after the pause of 1s", got, time.Since(began))
		}
		if got := r.Binds()[0].Rate; got != "10" {
			t.Errorf("rate %s; want 10", got)
		}
		for range 30 { // clean time counts while messages go
			time.Sleep(time.Second)
			r.submit(t, text(t, "{code}"))
		}
		if got := r.Binds()[0].Rate; got != "16" {
			t.Errorf("rate %s after 30 clean seconds; want 16", got)
		}
		time.Sleep(time.Minute)
		r.submit(t, text(t, "{code}"))
		if got := r.Binds()[0].Rate; got != "20" {
			t.Errorf("rate %s in the end; want what is configured, 20", got)
		}
	})
}

func TestAWindowFullOfThrottlingHalvesTheRateOnce(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Rate, c.Window = 1000, 50 }, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			go func() {
				time.Sleep(200 * time.Millisecond)
				refuses(pdu.QueueFull)(p, q)
			}()
		})
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { r.submit(t, text(t, "{code}")) })
		}
		all.Wait()
		if got := r.Binds()[0].Rate; got != "500" {
			t.Errorf("rate %s; want 500", got)
		}
	})
}

func TestPartsAreSentAtTheConfiguredRate(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Rate, c.Window = 10, 100 }, func(t *testing.T, r running) {
		began := time.Now()
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if got := r.submit(t, text(t, long)); got.Class != delivery.Accepted { // two parts
					t.Errorf("Submit = %+v; want Accepted", got)
				}
			})
		}
		all.Wait()
		if took := time.Since(began).Round(time.Millisecond); took != 3900*time.Millisecond {
			t.Errorf("40 parts took %v; want 3.9s at 10 a second", took)
		}
	})
}

func TestAMessageThatGetsNoTurnIsRetriedAndNotWritten(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Window = 1 }, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, silent)
		go r.submit(t, text(t, "{code}"))
		synctest.Wait()
		began := time.Now()
		got := r.submit(t, text(t, "{code}"))
		if got.Class != delivery.Retry || time.Since(began) != 8*time.Second {
			t.Errorf("Submit = %+v after %v; want Retry after 8s", got, time.Since(began))
		}
		if n := len(r.smsc.seen()); n != 1 {
			t.Errorf("%d submits were written; want 1", n)
		}
	})
}

func TestOnlyTheRefusedPartOfALongMessageIsSentAgain(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		var n atomic.Int32
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			if n.Add(1) == 2 {
				refuses(pdu.SystemError)(p, q)
				return
			}
			plain(p, q)
		})
		m := text(t, long)
		if got := r.submit(t, m); got.Class != delivery.Retry {
			t.Fatalf("Submit = %+v; want Retry", got)
		}
		m.Try = 2
		got := r.submit(t, m)
		if got.Class != delivery.Accepted || got.Ref != "m1" {
			t.Errorf("Submit = %+v; want Accepted as m1, the first part", got)
		}
		seen := r.smsc.seen()
		if len(seen) != 3 || seen[2].Short[5] != 2 || !bytes.Equal(seen[1].Short, seen[2].Short) {
			t.Errorf("%d parts were written; want part 1, part 2 and part 2 again", len(seen))
		}
	})
}

func TestALostPartMakesTheMessageUncertainUnderTheFirstReference(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			if q.Body.(*pdu.Message).Short[5] == 1 {
				plain(p, q)
			}
		})
		if got := r.submit(t, text(t, long)); got.Class != delivery.Uncertain || got.Ref != "m1" {
			t.Errorf("Submit = %+v; want Uncertain as m1", got)
		}
	})
}

func TestAnUnansweredPartMakesTheMessageUncertainWhateverTheOthersWereAnswered(t *testing.T) {
	t.Parallel()
	for _, status := range []pdu.Status{pdu.Throttled, pdu.SystemError, pdu.InvalidSource} {
		bubble(t, nil, func(t *testing.T, r running) {
			r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
				if q.Body.(*pdu.Message).Short[5] == 2 {
					refuses(status)(p, q)
				}
			})
			if got := r.submit(t, text(t, long)); got.Class != delivery.Uncertain {
				t.Errorf("part 1 unanswered, part 2 %s: Submit = %+v; want Uncertain", status, got)
			}
		})
	}
}

func TestAnotherProcessSendsOnlyThePartsThatAreMissing(t *testing.T) {
	t.Parallel()
	m := text(t, long)
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			if q.Body.(*pdu.Message).Short[5] == 2 {
				refuses(pdu.SystemError)(p, q)
				return
			}
			p.accept(q, "a\x01b")
		})
		m.Expires = time.Now().Add(time.Minute)
		got := r.submit(t, m)
		if got.Class != delivery.Retry || got.Taken == "" || strings.ContainsFunc(got.Taken, unicode.IsControl) {
			t.Fatalf("Submit = %+v; want Retry, and what was taken", got)
		}
		m.Taken = got.Taken
	})
	for taken, want := range map[string]int{m.Taken: 1, "xyz": 2, "61.62.63": 2, "": 2} {
		bubble(t, nil, func(t *testing.T, r running) {
			m := m
			m.Expires, m.Taken = time.Now().Add(time.Minute), taken
			got, seen := r.submit(t, m), r.smsc.seen()
			if got.Class != delivery.Accepted || len(seen) != want || seen[len(seen)-1].Short[5] != 2 {
				t.Fatalf("after %q: Submit = %+v, %d parts; want Accepted and %d parts, the last part 2", taken, got, len(seen), want)
			}
			if want > 1 {
				return
			}
			if got.Ref != "a\x01b" {
				t.Errorf("Submit = %+v; want it known as the first part", got)
			}
			r.smsc.report(t, "m1", "DELIVRD")
			if got := r.desk.received(); len(got) != 1 || got[0].Ref != "a\x01b" || got[0].State != delivery.ReceiptDelivered {
				t.Errorf("receipts %+v; want the message delivered, as the first part's receipt may have come to the other process", got)
			}
		})
	}
}

func TestWhatSMPPCannotCarryIsRefusedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		address, err := phone.ParseAddress("user@example.com")
		if err != nil {
			t.Fatal(err)
		}
		for name, c := range map[string]struct {
			change func(*delivery.Message)
			want   delivery.Class
		}{
			"a call":              {func(m *delivery.Message) { m.Step.Channel = message.Voice }, delivery.Config},
			"an e-mail address":   {func(m *delivery.Message) { m.Recipient = address.Recipient() }, delivery.Permanent},
			"a code that is over": {func(m *delivery.Message) { m.Expires = time.Now() }, delivery.Permanent},
			"a long name":         {func(m *delivery.Message) { m.Step.Sender = "ABCDEFGHIJKL" }, delivery.Config},
			"two digits":          {func(m *delivery.Message) { m.Step.Sender = "12" }, delivery.Config},
			"no letter":           {func(m *delivery.Message) { m.Step.Sender = "12-34" }, delivery.Config},
			"not ASCII":           {func(m *delivery.Message) { m.Step.Sender = "Müller" }, delivery.Config},
		} {
			m := text(t, "{code}")
			c.change(&m)
			if got := r.submit(t, m); got.Class != c.want || got.Failure.Code == "" {
				t.Errorf("%s: Submit = %+v; want %v", name, got, c.want)
			}
		}
		if n := len(r.smsc.seen()); n != 0 {
			t.Errorf("%d submits were written; want none", n)
		}
	})
}
