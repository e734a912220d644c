package smpp_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/otp"
)

func failed(code, state string) otp.Failure {
	return otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: "The message centre reported " + state}
}

func TestReceiptsAreReadByTextAndByParameters(t *testing.T) {
	t.Parallel()
	tlvs := func(id string, state uint8) []pdu.TLV {
		return []pdu.TLV{pdu.Text(pdu.ReceiptedMessageID, id), pdu.U8(pdu.MessageState, state)}
	}
	ucs2 := []byte("\x00i\x00d\x00:\x007\x00 \x00s\x00t\x00a\x00t\x00:\x00D\x00E\x00L\x00I\x00V\x00R\x00D")
	delivered := func(ref string) []delivery.Receipt {
		return []delivery.Receipt{{Carrier: "direct", Ref: ref, State: delivery.ReceiptDelivered}}
	}
	refused := func(f otp.Failure) []delivery.Receipt {
		return []delivery.Receipt{{Carrier: "direct", Ref: "7", State: delivery.ReceiptUndeliverable, Failure: f}}
	}
	for name, c := range map[string]struct {
		body pdu.Body
		want []delivery.Receipt
	}{
		"by text":              {receipt("7", "DELIVRD"), delivered("7")},
		"by parameters":        {&pdu.Message{ESMClass: 4, TLVs: tlvs("7", 2)}, delivered("7")},
		"parameters win":       {&pdu.Message{ESMClass: 4, Short: []byte("id:8 stat:UNDELIV"), TLVs: tlvs("7", 2)}, delivered("7")},
		"half of each":         {&pdu.Message{ESMClass: 4, Short: []byte("stat:DELIVRD"), TLVs: tlvs("7", 2)[:1]}, delivered("7")},
		"in message_payload":   {&pdu.Message{ESMClass: 4, TLVs: []pdu.TLV{{Tag: pdu.MessagePayload, Value: []byte("id:7 stat:DELIVRD")}}}, delivered("7")},
		"in UCS-2":             {&pdu.Message{ESMClass: 4, DataCoding: 8, Short: ucs2}, delivered("7")},
		"by data_sm":           {&pdu.Data{ESMClass: 4, TLVs: tlvs("7", 2)}, delivered("7")},
		"intermediate, final":  {&pdu.Message{ESMClass: 0x20, TLVs: tlvs("7", 2)}, delivered("7")},
		"UNDELIV":              {&pdu.Message{ESMClass: 4, Short: []byte("id:7 stat:UNDELIV err:012")}, refused(failed("012", "UNDELIV"))},
		"REJECTD":              {receipt("7", "REJECTD"), refused(failed("REJECTD", "REJECTD"))},
		"DELETED":              {receipt("7", "DELETED"), refused(failed("DELETED", "DELETED"))},
		"a network's error":    {&pdu.Message{ESMClass: 4, TLVs: append(tlvs("7", 5), pdu.TLV{Tag: pdu.NetworkErrorCode, Value: []byte{3, 1, 2}})}, refused(failed("3-258", "UNDELIV"))},
		"EXPIRED":              {receipt("7", "EXPIRED"), []delivery.Receipt{{Carrier: "direct", Ref: "7", State: delivery.ReceiptTimedOut, Failure: failed("EXPIRED", "EXPIRED")}}},
		"ENROUTE":              {receipt("7", "ENROUTE"), nil},
		"ACCEPTD":              {receipt("7", "ACCEPTD"), nil},
		"UNKNOWN":              {receipt("7", "UNKNOWN"), nil},
		"a state of its own":   {receipt("7", "BUFFERED"), nil},
		"a state out of range": {&pdu.Message{ESMClass: 4, TLVs: tlvs("7", 99)}, nil},
		"without id":           {&pdu.Message{ESMClass: 4, Short: []byte("stat:DELIVRD")}, nil},
		"a person's message":   {&pdu.Message{Short: []byte("id:7 stat:DELIVRD")}, nil},
	} {
		bubble(t, nil, func(t *testing.T, r running) {
			id := pdu.DeliverSM
			if _, ok := c.body.(*pdu.Data); ok {
				id = pdu.DataSM
			}
			q, ok := r.smsc.peer(t).ask(id, c.body)
			if !ok || q.ID != id.Resp() || q.Status != pdu.OK {
				t.Errorf("%s: answered with %v %v; want %v 0x00", name, q.ID, q.Status, id.Resp())
			}
			if diff := cmp.Diff(c.want, r.desk.received()); diff != "" {
				t.Errorf("%s: receipts (-want +got):\n%s", name, diff)
			}
		})
	}
}

func TestAnUnknownStateIsLoggedByItsNameOnly(t *testing.T) {
	t.Parallel()
	for stat, want := range map[string]string{
		"BUFFERED":       "stat=BUFFERED",
		"NO_CREDIT":      "stat=NO_CREDIT",
		"80427519":       "stat_octets=8",
		"+491712345678":  "stat_octets=13",
		"SENT_80427519":  "stat_octets=13",
		"8-0-4-2-7-5-19": "stat_octets=14",
		"x80427519y":     "stat_octets=10",
		"\xd9\xa8":       "stat_octets=2", // ARABIC-INDIC DIGIT EIGHT
	} {
		synctest.Test(t, func(t *testing.T) {
			s, d, log := newSMSC(), newDesk(), &bytes.Buffer{}
			c, err := smpp.New(config(), smpp.Deps{
				Receive: d.receive, Log: slog.New(slog.NewTextHandler(log, nil)), Now: time.Now, Observer: d, Dial: s.dial,
			})
			if err != nil {
				t.Fatal(err)
			}
			stop := run(t, c)
			s.report(t, "7", stat)
			stop()
			if d.noticed(smpp.UnknownState) != 1 || !strings.Contains(log.String(), " "+want+"\n") {
				t.Errorf("of %q was counted %d and logged; want %s\n%s", stat, d.noticed(smpp.UnknownState), want, log)
			}
		})
	}
}

func TestMessageIDsAreBroughtIntoOneForm(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ form, answered, received, ref string }{
		{"as-is", "0A1b", "0A1b", "0A1b"},
		{"hex-to-dec", "0A1B", "2587", "2587"},
		{"hex-to-dec", "a1b", "0000002587", "2587"},
		{"hex-to-dec", "7fffffffffffffffffff", "604462909807314587353087", "604462909807314587353087"},
		{"hex-to-dec", "msg-17", "msg-17", "msg-17"},
		{"dec-to-hex", "2587", "A1B", "a1b"},
		{"dec-to-hex", "2587", "0x00000a1b", "a1b"},
	} {
		bubble(t, func(cfg *smpp.Config) { cfg.ReceiptID = c.form }, func(t *testing.T, r running) {
			r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) { p.accept(q, c.answered) })
			if got := r.submit(t, text(t, "{code}")); got.Ref != c.ref {
				t.Errorf("%s: the answer %q gave the reference %q; want %q", c.form, c.answered, got.Ref, c.ref)
			}
			r.smsc.report(t, c.received, "DELIVRD")
			if got := r.desk.received(); len(got) != 1 || got[0].Ref != c.ref {
				t.Errorf("%s: the receipt for %q gave %+v; want the reference %q", c.form, c.received, got, c.ref)
			}
		})
	}
}

func TestAReceiptThatIsNotRecordedIsAskedForAgain(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.desk.mu.Lock()
		r.desk.err = errors.New("the store is away")
		r.desk.mu.Unlock()
		if got := r.smsc.report(t, "7", "DELIVRD"); got != pdu.TemporaryError {
			t.Errorf("answered with %v; want 0x64", got)
		}
	})
}

// twoParts submits a message of two parts, m1 and m2.
func (r running) twoParts(t *testing.T) {
	t.Helper()
	if got := r.submit(t, text(t, long)); got.Class != delivery.Accepted || got.Ref != "m1" || got.Receipt != nil {
		t.Fatalf("Submit = %+v; want Accepted as m1", got)
	}
}

func TestALongMessageIsDeliveredWhenAllItsPartsAre(t *testing.T) {
	t.Parallel()
	for _, order := range [][]string{{"m1", "m1", "m2"}, {"m2", "m2", "m1"}} {
		bubble(t, nil, func(t *testing.T, r running) {
			r.twoParts(t)
			for i, id := range order {
				if n := len(r.desk.received()); n != 0 {
					t.Fatalf("%v: %d receipts before the last part's; want none", order[:i], n)
				}
				r.smsc.report(t, id, "DELIVRD")
			}
			want := []delivery.Receipt{{Carrier: "direct", Ref: "m1", State: delivery.ReceiptDelivered}}
			if diff := cmp.Diff(want, r.desk.received()); diff != "" {
				t.Errorf("%v (-want +got):\n%s", order, diff)
			}
		})
	}
}

func TestALongMessageFailsWhenAPartDoes(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.twoParts(t)
		r.smsc.report(t, "m2", "UNDELIV")
		r.smsc.report(t, "m1", "DELIVRD")
		for _, got := range r.desk.received() { // again, in case that the first was not recorded
			if got.Ref != "m1" || got.State != delivery.ReceiptUndeliverable || got.Failure != failed("UNDELIV", "UNDELIV") {
				t.Errorf("receipt = %+v; want m1 undeliverable", got)
			}
		}
		if len(r.desk.received()) == 0 {
			t.Error("no receipt reached the dispatcher")
		}
	})
}

func TestEXPIREDIsNotTheLastWordOnALongMessage(t *testing.T) {
	t.Parallel()
	expired := delivery.Receipt{Carrier: "direct", Ref: "m1", State: delivery.ReceiptTimedOut, Failure: failed("EXPIRED", "EXPIRED")}
	failure := delivery.Receipt{Carrier: "direct", Ref: "m1", State: delivery.ReceiptUndeliverable, Failure: failed("UNDELIV", "UNDELIV")}
	arrived := delivery.Receipt{Carrier: "direct", Ref: "m1", State: delivery.ReceiptDelivered}
	for name, c := range map[string]struct {
		reports [][2]string
		want    []delivery.Receipt
	}{
		"another part fails":         {[][2]string{{"m1", "EXPIRED"}, {"m2", "UNDELIV"}}, []delivery.Receipt{expired, failure}},
		"the same part fails":        {[][2]string{{"m2", "EXPIRED"}, {"m2", "UNDELIV"}}, []delivery.Receipt{expired, failure}},
		"all parts arrive after all": {[][2]string{{"m1", "DELIVRD"}, {"m2", "EXPIRED"}, {"m2", "DELIVRD"}}, []delivery.Receipt{expired, arrived}},
		"a failure is the last word": {[][2]string{{"m1", "UNDELIV"}, {"m2", "EXPIRED"}}, []delivery.Receipt{failure, failure}},
	} {
		bubble(t, nil, func(t *testing.T, r running) {
			r.twoParts(t)
			for _, report := range c.reports {
				r.smsc.report(t, report[0], report[1])
			}
			if diff := cmp.Diff(c.want, r.desk.received()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
}

func TestAnIDThatIsGivenAgainIsTheNewestMessages(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words string
		ids   int      // how many the message centre goes back
		told  []string // receipts then, of one state
		want  []delivery.Receipt
	}{
		"the reference, to a short message":                           {"{code}", 2, []string{"m1"}, []delivery.Receipt{{Carrier: "direct", Ref: "m1", State: delivery.ReceiptDelivered}}},
		"another part's, to a short one":                              {"{code}", 1, []string{"m2"}, []delivery.Receipt{{Carrier: "direct", Ref: "m2", State: delivery.ReceiptDelivered}}},
		"both, to a long message":                                     {long, 2, []string{"m2", "m1"}, []delivery.Receipt{{Carrier: "direct", Ref: "m1", State: delivery.ReceiptDelivered}}},
		"the reference, and the old message's other part is reported": {"{code}", 2, []string{"m2"}, []delivery.Receipt{{Carrier: "direct", Ref: "m2", State: delivery.ReceiptDelivered}}},
	} {
		bubble(t, nil, func(t *testing.T, r running) {
			r.twoParts(t)
			r.smsc.report(t, "m1", "UNDELIV")
			before := len(r.desk.received())
			r.smsc.mu.Lock()
			r.smsc.ids -= c.ids
			r.smsc.mu.Unlock()
			if got := r.submit(t, text(t, c.words)); got.Class != delivery.Accepted {
				t.Fatalf("%s: Submit = %+v; want Accepted", name, got)
			}
			for _, id := range c.told {
				r.smsc.report(t, id, "DELIVRD")
			}
			if diff := cmp.Diff(c.want, r.desk.received()[before:]); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
	}
}

func TestOctetsBehindAReceiptThatAreNoParameterAreDropped(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		b, err := pdu.PDU{ID: pdu.DeliverSM, Seq: 77, Body: receipt("7", "DELIVRD")}.Append(nil)
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, 0)
		b[3]++ // its length
		r.smsc.peer(t).raw(b)
		synctest.Wait()
		want := []delivery.Receipt{{Carrier: "direct", Ref: "7", State: delivery.ReceiptDelivered}}
		if diff := cmp.Diff(want, r.desk.received()); diff != "" || r.smsc.dialled() != 1 {
			t.Errorf("over %d connections (-want +got):\n%s", r.smsc.dialled(), diff)
		}
	})
}

func TestReceiptsBeforeTheLastAnswerComeWithTheResult(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) {
			if q.Body.(*pdu.Message).Short[5] == 1 {
				p.accept(q, "m1")
				go p.ask(pdu.DeliverSM, receipt("m1", "UNDELIV"))
				return
			}
			go func() {
				time.Sleep(time.Second)
				p.accept(q, "m2")
			}()
		})
		got := r.submit(t, text(t, long))
		if got.Class != delivery.Accepted || got.Receipt == nil || got.Receipt.State != delivery.ReceiptUndeliverable {
			t.Errorf("Submit = %+v; want Accepted with the receipt", got)
		}
		if n := len(r.desk.received()); n != 0 {
			t.Errorf("%d receipts reached the dispatcher before the result; want none", n)
		}
	})
}

func TestAMessageCentreWithOneIDForAllPartsIsUnderstood(t *testing.T) {
	t.Parallel()
	bubble(t, nil, func(t *testing.T, r running) {
		r.smsc.handle(pdu.SubmitSM, func(p *peer, q pdu.PDU) { p.accept(q, "same") })
		if got := r.submit(t, text(t, long)); got.Ref != "same" {
			t.Fatalf("Submit = %+v; want the reference same", got)
		}
		r.smsc.report(t, "same", "DELIVRD")
		if got := r.desk.received(); len(got) != 1 || got[0].State != delivery.ReceiptDelivered {
			t.Errorf("receipts = %+v; want one", got)
		}
	})
}

func TestAfterARestartTheFirstPartsReceiptSpeaksForAll(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newSMSC()
		before := start(t, s, nil)
		s.peer(t)
		before.twoParts(t)
		before.stop()
		synctest.Wait()
		after := start(t, s, nil)
		s.peer(t)
		after.desk.unknown["m2"] = true
		s.report(t, "m2", "DELIVRD")
		if got := after.desk.noticed(smpp.UnknownReceipt); got != 1 {
			t.Errorf("noticed %d unknown receipts; want that of the second part", got)
		}
		s.report(t, "m1", "DELIVRD")
		got := after.desk.received()
		if len(got) != 2 || got[1].Ref != "m1" || got[1].State != delivery.ReceiptDelivered {
			t.Errorf("receipts = %+v; want m1 delivered in the end", got)
		}
		after.stop()
	})
}

func TestManyReceiptsAtATimeAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := newSMSC(), newDesk()
		release := make(chan struct{})
		c, err := smpp.New(config(), smpp.Deps{Receive: blocked(release), Log: discard(), Now: time.Now, Dial: s.dial, Observer: d})
		if err != nil {
			t.Fatal(err)
		}
		stop := run(t, c)
		p := s.peer(t)
		const most = 2000
		statuses := make(chan pdu.Status, most+1)
		for range most + 1 {
			go func() {
				q, _ := p.ask(pdu.DeliverSM, receipt("7", "DELIVRD"))
				statuses <- q.Status
			}()
		}
		synctest.Wait()
		if got := <-statuses; got != pdu.TemporaryError {
			t.Errorf("one too many was answered with %v; want 0x64", got)
		}
		close(release)
		for range most {
			if got := <-statuses; got != pdu.OK {
				t.Errorf("answered with %v; want 0x00", got)
			}
		}
		stop()
	})
}
