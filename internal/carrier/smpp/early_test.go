package smpp_test

import (
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
)

// books stands for a dispatcher that keeps receipts waiting for the submit that
// they tell of, and takes its time to stop.
type books struct {
	slow time.Duration // how long it goes on after it was told to stop

	mu       sync.Mutex // guards what follows
	ref      string     // of the submit that is recorded
	receipts []delivery.Receipt
}

func (b *books) receive(ctx context.Context, r delivery.Receipt) (bool, error) {
	for range 500 { // 5 s
		if b.record(r) {
			return true, nil
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			time.Sleep(b.slow)
			return b.record(r), context.Cause(ctx)
		}
	}
	return false, nil
}

func (b *books) record(r delivery.Receipt) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ref == "" || r.Ref != b.ref {
		return false
	}
	b.receipts = append(b.receipts, r)
	return true
}

func (b *books) submitted(ref string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.ref = ref
}

func (b *books) received() []delivery.Receipt {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.receipts
}

func TestAReceiptThatIsFasterThanItsAnswerTellsOfItsPartOnly(t *testing.T) {
	t.Parallel()
	told := func(state delivery.ReceiptState) []delivery.Receipt {
		r := delivery.Receipt{Carrier: "direct", Ref: "m1", State: state}
		if state == delivery.ReceiptUndeliverable {
			r.Failure = failed("UNDELIV", "UNDELIV")
		}
		return []delivery.Receipt{r}
	}
	for name, c := range map[string]struct {
		words  string
		slow   time.Duration
		before []delivery.Receipt // what the dispatcher knows before the second part's receipt
		second string             // what that says; "" where there is none
		want   []delivery.Receipt
	}{
		"the other part fails":         {long, 0, nil, "UNDELIV", told(delivery.ReceiptUndeliverable)},
		"the other part arrives":       {long, 0, nil, "DELIVRD", told(delivery.ReceiptDelivered)},
		"the dispatcher is slow":       {long, 3 * time.Second, nil, "UNDELIV", told(delivery.ReceiptUndeliverable)},
		"the message has but one part": {"{code}", 0, told(delivery.ReceiptDelivered), "", told(delivery.ReceiptDelivered)},
	} {
		synctest.Test(t, func(t *testing.T) {
			s, b := newSMSC(), &books{slow: c.slow}
			carrier, err := smpp.New(config(), smpp.Deps{Receive: b.receive, Log: discard(), Now: time.Now, Dial: s.dial})
			if err != nil {
				t.Fatal(err)
			}
			stop := run(t, carrier)
			s.peer(t)
			statuses := make(chan pdu.Status, 1)
			s.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
				id := s.nextID()
				if id == "m1" {
					go func() {
						answer, _ := p.ask(pdu.DeliverSM, receipt(id, "DELIVRD"))
						statuses <- answer.Status
					}()
					time.Sleep(15 * time.Millisecond)
				}
				p.accept(q, id)
			})
			got := running{Carrier: carrier}.submit(t, text(t, c.words))
			if got.Class != delivery.Accepted || got.Ref != "m1" || got.Receipt != nil {
				t.Errorf("%s: Submit = %+v; want Accepted as m1", name, got)
			}
			b.submitted(got.Ref)
			if status := <-statuses; status != pdu.OK {
				t.Errorf("%s: the early receipt was answered with %v; want 0x00", name, status)
			}
			if diff := cmp.Diff(c.before, b.received()); diff != "" {
				t.Errorf("%s: after the first part's receipt (-want +got):\n%s", name, diff)
			}
			if c.second != "" {
				s.report(t, "m2", c.second)
			}
			if diff := cmp.Diff(c.want, b.received()); diff != "" {
				t.Errorf("%s: in the end (-want +got):\n%s", name, diff)
			}
			stop()
		})
	}
}

func TestAPartsFailureIsKeptWhateverTheOthersAreAnswered(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]func(*peer, pdu.PDU){
		"not at all":               silent,
		"that there is no room":    refuses(pdu.QueueFull),
		"that something is broken": refuses(pdu.SystemError),
	} {
		bubble(t, nil, func(t *testing.T, r running) {
			r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
				if q.Body.(*pdu.Message).Short[5] == 1 {
					p.accept(q, "m1")
					go p.ask(pdu.DeliverSM, receipt("m1", "UNDELIV"))
					return
				}
				go func() {
					time.Sleep(time.Second)
					second(p, q)
				}()
			})
			got := r.submit(t, text(t, long))
			if got.Class != delivery.Permanent || got.Failure != failed("UNDELIV", "UNDELIV") || got.Own {
				t.Errorf("the second part is answered %s: Submit = %+v; want Permanent for the first part's failure", name, got)
			}
		})
	}
}
