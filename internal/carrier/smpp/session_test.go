package smpp_test

import (
	"context"
	"encoding/hex"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

// bubble runs f against a message centre in virtual time.
func bubble(t *testing.T, change func(*smpp.Config), f func(t *testing.T, r running)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s := newSMSC()
		r := start(t, s, change)
		s.peer(t)
		synctest.Wait()
		f(t, r)
		r.stop()
	})
}

func (r running) submit(t *testing.T, m delivery.Message) delivery.Result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	return r.Submit(ctx, m)
}

func TestASubmitWithoutAnAnswerIsUncertainAfterTenSeconds(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, silent)
		began := time.Now()
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Uncertain {
			t.Errorf("Submit = %+v; want Uncertain", got)
		}
		if took := time.Since(began); took != 10*time.Second {
			t.Errorf("it took %v; want 10s", took)
		}
		if got := len(r.smsc.seen()); got != 1 {
			t.Errorf("%d submits were written; want 1", got)
		}
	})
}

func TestThreeSubmitsInARowWithoutAnAnswerMakeTheBindAnew(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, silent)
		for range 2 {
			r.submit(t, text(t, "{code}"))
		}
		if got := r.smsc.dialled(); got != 1 {
			t.Fatalf("%d connections after two; want 1", got)
		}
		r.submit(t, text(t, "{code}"))
		time.Sleep(time.Second)
		if got := r.smsc.dialled(); got != 2 {
			t.Errorf("%d connections after three; want 2", got)
		}
		r.smsc.handle(pdu.SubmitSM, nil)
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
			t.Errorf("Submit on the new bind = %+v; want Accepted", got)
		}
	})
}

func TestALinkThatIsLostMidFlightLeavesEverySubmitUncertain(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, silent)
		results := make(chan delivery.Result, 5)
		for range cap(results) {
			go func() { results <- r.submit(t, text(t, "{code}")) }()
		}
		synctest.Wait()
		began := time.Now()
		_ = r.smsc.peer(t).conn.Close()
		for range cap(results) {
			if got := <-results; got.Class != delivery.Uncertain {
				t.Errorf("Submit = %+v; want Uncertain", got)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("it took %v; want no time", took)
		}
		r.smsc.handle(pdu.SubmitSM, nil)
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
			t.Errorf("Submit after the re-bind = %+v; want Accepted", got)
		}
		if got := len(r.smsc.seen()); got != 6 {
			t.Errorf("%d submits were written; want 6, none of them again", got)
		}
	})
}

func TestNoMoreThanTheWindowIsUnanswered(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Window = 3 }, func(t *testing.T, r running) {
		var open, most atomic.Int32
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			if n := open.Add(1); n > most.Load() {
				most.Store(n)
			}
			go func() {
				time.Sleep(100 * time.Millisecond)
				open.Add(-1)
				plain(p, q)
			}()
		})
		var all sync.WaitGroup
		for range 12 {
			all.Go(func() {
				if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
					t.Errorf("Submit = %+v; want Accepted", got)
				}
			})
		}
		synctest.Wait()
		if got := r.Binds()[0].Window; got != 3 {
			t.Errorf("Binds tells of %d unanswered; want 3", got)
		}
		all.Wait()
		if got := most.Load(); got != 3 {
			t.Errorf("%d submits were unanswered at a time; want 3", got)
		}
	})
}

func TestAnswersInAnyOrderReachTheirSubmits(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		held := make(chan pdu.PDU, 2)
		r.smsc.handle(pdu.SubmitSM, func(_ *peer, q pdu.PDU) { held <- q })
		refs := make([]string, 2)
		var all sync.WaitGroup
		for i, number := range []string{"first", "second"} {
			all.Go(func() { refs[i] = r.submit(t, text(t, number+" {code}")).Ref })
			synctest.Wait()
		}
		first, second := <-held, <-held
		p := r.smsc.peer(t)
		p.accept(second, "two")
		p.accept(first, "one")
		all.Wait()
		if refs[0] != "one" || refs[1] != "two" {
			t.Errorf("references %q; want one, two", refs)
		}
	})
}

func TestASilentLinkIsAskedForASignOfLifeAndClosedWithoutOne(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		var asked atomic.Int32
		r.smsc.handle(pdu.EnquireLink, func(p *peer, q pdu.PDU) {
			asked.Add(1)
			plain(p, q)
		})
		time.Sleep(29 * time.Second)
		if got := asked.Load(); got != 0 {
			t.Errorf("asked %d times in 29 s; want none", got)
		}
		time.Sleep(62 * time.Second)
		if got := asked.Load(); got != 3 {
			t.Errorf("asked %d times in 91 s; want 3", got)
		}
		r.smsc.handle(pdu.EnquireLink, silent)
		time.Sleep(38*time.Second + 500*time.Millisecond) // 30 s of silence since 90 s, and 10 for the answer
		if got := r.smsc.dialled(); got != 1 {
			t.Errorf("%d connections before the bound; want 1", got)
		}
		time.Sleep(2 * time.Second)
		if got := r.smsc.dialled(); got != 2 {
			t.Errorf("%d connections after the bound; want 2", got)
		}
	})
}

func TestThePeersEnquireLinkIsAnsweredAtOnceAlsoWhileThrottled(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, refuses(pdu.Throttled))
		r.submit(t, text(t, "{code}"))
		go r.submit(t, text(t, "{code}")) // waits for its turn
		began := time.Now()
		q, ok := r.smsc.peer(t).ask(pdu.EnquireLink, nil)
		if !ok || q.ID != pdu.EnquireLinkResp || time.Since(began) != 0 {
			t.Errorf("answer = %v, %v after %v; want enquire_link_resp at once", q.ID, ok, time.Since(began))
		}
		time.Sleep(5 * time.Second)
	})
}

func TestAnUnknownCommandIsRefusedAndTheSessionKept(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		p := r.smsc.peer(t)
		for _, id := range []pdu.ID{0x99, 0x10203, pdu.SubmitSM} {
			var body pdu.Body
			if id == pdu.SubmitSM {
				body = &pdu.Message{}
			}
			q, ok := p.ask(id, body)
			if !ok || q.ID != pdu.GenericNack || q.Status != pdu.InvalidCommand {
				t.Errorf("%s was answered with %v %v; want generic_nack 0x03", id, q.ID, q.Status)
			}
		}
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
			t.Errorf("Submit = %+v; want Accepted", got)
		}
	})
}

func TestAHostilePDUClosesTheSessionAndTheNextBindWorks(t *testing.T) {
	t.Parallel()
	for name, frame := range map[string]string{
		"a length below a header":     "0000000f000000050000000000000001",
		"a length beyond all bounds":  "ffffffff000000050000000000000001",
		"a body that ends too soon":   "00000011000000050000000000000001ff",
		"noise":                       "16030100a5010000a10303deadbeef00",
		"an answer that is malformed": "00000012800000090000000000000001" + "4141",
	} {
		bubble(t, nil, func(t *testing.T, r running) {
			b, err := hex.DecodeString(frame)
			if err != nil {
				t.Fatal(err)
			}
			p := r.smsc.peer(t)
			p.raw(b)
			if name == "an answer that is malformed" { // read leniently: it answers nothing
				synctest.Wait()
				if got := r.desk.noticed(smpp.LateAnswer); got != 1 {
					t.Errorf("%s: noticed %d late answers; want 1", name, got)
				}
				return
			}
			<-p.gone
			if got := r.desk.noticed(smpp.HostilePDU); got != 1 {
				t.Errorf("%s: noticed %d hostile PDUs; want 1", name, got)
			}
			if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
				t.Errorf("%s: Submit = %+v; want Accepted", name, got)
			}
		})
	}
}

func TestTheObserverHearsOfEveryBindAndLoss(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Rate = 2.5 }, func(t *testing.T, r running) {
		_ = r.smsc.peer(t).conn.Close()
		time.Sleep(2 * time.Second)
		r.smsc.handle(pdu.BindTransceiver, refuses(pdu.InvalidPassword))
		_ = r.smsc.peer(t).conn.Close()
		time.Sleep(5 * time.Minute)
		up := smpp.BindState{Bind: 1, Kind: "bind_transceiver", Bound: true, Rate: "2.5"}
		lost, refused := up, up
		lost.Bound, lost.LastErr = false, "the peer closed the connection"
		refused.Bound, refused.LastErr = false, "bind_transceiver refused with 0x0e RINVPASWD"
		want := []smpp.BindState{up, lost, up, lost, refused}
		r.desk.mu.Lock()
		defer r.desk.mu.Unlock()
		if diff := cmp.Diff(want, r.desk.states); diff != "" {
			t.Errorf("states (-want +got):\n%s", diff)
		}
	})
}

func TestWhenThePeerUnbindsTheBindIsMadeAnew(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		q, ok := r.smsc.peer(t).ask(pdu.Unbind, nil)
		if !ok || q.ID != pdu.UnbindResp {
			t.Errorf("unbind was answered with %v, %v", q.ID, ok)
		}
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
			t.Errorf("Submit = %+v; want Accepted", got)
		}
	})
}

func TestConnectionsAreTriedEverMoreSlowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var at []time.Duration
		began := time.Now()
		cfg := config()
		c, err := smpp.New(cfg, smpp.Deps{
			Receive: newDesk().receive, Log: discard(), Now: time.Now,
			Jitter: func(limit time.Duration) time.Duration { return limit - 1 },
			Dial: func(context.Context, string, string) (net.Conn, error) {
				mu.Lock()
				defer mu.Unlock()
				at = append(at, time.Since(began).Round(time.Second)/time.Second)
				return nil, net.ErrClosed
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, c)
		if got := c.Submit(t.Context(), text(t, "{code}")); got.Class != delivery.Retry || time.Since(began) != 2*time.Second {
			t.Errorf("Submit = %+v after %v; want Retry after 2s", got, time.Since(began))
		}
		time.Sleep(4 * time.Minute)
		stop()
		mu.Lock()
		defer mu.Unlock()
		want := []time.Duration{0, 1, 3, 7, 15, 31, 63, 123, 183}
		if len(at) < len(want) {
			t.Fatalf("connected after %d s; want %d", at, want)
		}
		for i, w := range want {
			if at[i] != w {
				t.Fatalf("connected after %d s; want %d", at, want)
			}
		}
	})
}

func TestPeersThatNeverAnswerABindAreTriedEverMoreSlowly(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		time.Sleep(time.Minute) // a bind that lasted
		var mu sync.Mutex
		var at []time.Duration
		began := time.Now()
		r.smsc.handle(pdu.BindTransceiver, func(*peer, pdu.PDU) {
			mu.Lock()
			defer mu.Unlock()
			at = append(at, time.Since(began).Round(time.Second)/time.Second)
		})
		r.smsc.drop()
		time.Sleep(5 * time.Minute)
		mu.Lock()
		defer mu.Unlock()
		// Each takes 10 s, and the pauses are 1, 2, 4, … s, at most a minute.
		want := []time.Duration{1, 13, 27, 45, 71, 113, 183, 253}
		if diff := cmp.Diff(want, at); diff != "" {
			t.Errorf("bound after so many seconds (-want +got):\n%s", diff)
		}
	})
}

func TestARefusedBindIsTheOperatorsAndTriedSlowly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSMSC()
		s.handle(pdu.BindTransceiver, refuses(pdu.InvalidPassword))
		r := start(t, s, nil)
		synctest.Wait()
		began := time.Now()
		got := r.submit(t, text(t, "{code}"))
		if got.Class != delivery.Config || got.Failure.Code != "0x0e" || time.Since(began) != 0 {
			t.Errorf("Submit = %+v after %v; want Config 0x0e at once", got, time.Since(began))
		}
		time.Sleep(29 * time.Second)
		if n := s.dialled(); n != 1 {
			t.Errorf("%d binds in 29 s; want 1", n)
		}
		s.handle(pdu.BindTransceiver, nil)
		time.Sleep(31 * time.Second)
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Accepted {
			t.Errorf("Submit once the password is right = %+v; want Accepted", got)
		}
		r.stop()
	})
}

func TestABindThatIsOpenAlreadyIsWaitedForAMinuteBeforeTheAlarm(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSMSC()
		s.handle(pdu.BindTransceiver, refuses(pdu.AlreadyBound))
		r := start(t, s, nil)
		synctest.Wait()
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Retry {
			t.Errorf("Submit = %+v; want Retry", got)
		}
		time.Sleep(61 * time.Second)
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Config {
			t.Errorf("Submit after a minute = %+v; want Config", got)
		}
		r.stop()
	})
}

func TestTheEndDrainsTheWindowUnbindsAndCloses(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		unbound := make(chan bool, 1)
		r.smsc.handle(pdu.Unbind, func(p *peer, q pdu.PDU) {
			unbound <- true
			plain(p, q)
		})
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			go func() {
				time.Sleep(3 * time.Second)
				plain(p, q)
			}()
		})
		result := make(chan delivery.Result, 1)
		go func() { result <- r.submit(t, text(t, "{code}")) }()
		synctest.Wait()
		began := time.Now()
		go r.stop()
		synctest.Wait()
		if got := r.submit(t, text(t, "{code}")); got.Class != delivery.Retry || time.Since(began) != 0 {
			t.Errorf("Submit while draining = %+v after %v; want Retry at once", got, time.Since(began))
		}
		if got := <-result; got.Class != delivery.Accepted {
			t.Errorf("the submit in flight = %+v; want Accepted", got)
		}
		r.stop()
		<-unbound
		if took := time.Since(began); took > 3100*time.Millisecond {
			t.Errorf("the end took %v; want about 3s", took)
		}
	})
}

func TestTheEndDoesNotWaitForAPeerThatAnswersNothing(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, silent)
		r.smsc.handle(pdu.Unbind, silent)
		go r.submit(t, text(t, "{code}"))
		synctest.Wait()
		began := time.Now()
		r.stop()
		if took := time.Since(began); took != 7*time.Second {
			t.Errorf("the end took %v; want 5s for the window and 2s for unbind", took)
		}
	})
}

func TestAPairSubmitsOnOneConnectionAndHearsReceiptsOnTheOther(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Mode, c.Binds = "pair", 2 }, func(t *testing.T, r running) {
		kinds := map[pdu.ID]int{}
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			if p.kind != pdu.BindTransmitter {
				t.Errorf("submit_sm on a %s", p.kind)
			}
			plain(p, q)
		})
		r.smsc.mu.Lock()
		for _, p := range r.smsc.peers {
			kinds[p.kind]++
		}
		r.smsc.mu.Unlock()
		if kinds[pdu.BindTransmitter] != 2 || kinds[pdu.BindReceiver] != 2 {
			t.Fatalf("bound %v; want two of each", kinds)
		}
		got := r.submit(t, text(t, "{code}"))
		if got.Class != delivery.Accepted {
			t.Fatalf("Submit = %+v; want Accepted", got)
		}
		if status := r.smsc.report(t, got.Ref, "DELIVRD"); status != pdu.OK {
			t.Errorf("the receipt was answered with %v; want 0x00", status)
		}
		if rs := r.desk.received(); len(rs) != 1 || rs[0].Ref != got.Ref {
			t.Errorf("receipts = %+v; want that of %q", rs, got.Ref)
		}
	})
}

func TestSeveralBindsShareTheMessages(t *testing.T) {
	t.Parallel()
	bubble(t, func(c *smpp.Config) { c.Binds, c.Window = 3, 1 }, func(t *testing.T, r running) {
		var mu sync.Mutex
		by := map[*peer]int{}
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			mu.Lock()
			by[p]++
			mu.Unlock()
			go func() {
				time.Sleep(time.Second)
				plain(p, q)
			}()
		})
		var all sync.WaitGroup
		for range 9 {
			all.Go(func() { r.submit(t, text(t, "{code}")) })
		}
		all.Wait()
		if len(by) != 3 {
			t.Fatalf("%d binds were used; want 3", len(by))
		}
		for _, n := range by {
			if n != 3 {
				t.Errorf("the binds had %v messages; want 3 each", by)
			}
		}
	})
}
