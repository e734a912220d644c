package smpp_test

import (
	"context"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
)

// alarm fails the test when an error is logged: a panic that was recovered is.
type alarm struct{ t *testing.T }

func (a alarm) Enabled(_ context.Context, l slog.Level) bool { return l >= slog.LevelError }
func (a alarm) WithAttrs([]slog.Attr) slog.Handler           { return a }
func (a alarm) WithGroup(string) slog.Handler                { return a }
func (a alarm) Handle(_ context.Context, r slog.Record) error {
	r.Attrs(func(at slog.Attr) bool {
		a.t.Errorf("%s: %s", r.Message, at)
		return true
	})
	return nil
}

// Whatever a peer sends after the bind, nothing panics, nothing hangs, and the
// carrier ends when it is to (D-12).
func FuzzSession(f *testing.F) {
	for _, p := range []pdu.PDU{
		{ID: pdu.DeliverSM, Seq: 1, Body: receipt("7", "DELIVRD")},
		{ID: pdu.DataSM, Seq: 1, Body: &pdu.Data{ESMClass: 4, TLVs: []pdu.TLV{pdu.Text(pdu.ReceiptedMessageID, "7"), pdu.U8(pdu.MessageState, 5)}}},
		{ID: pdu.SubmitSMResp, Seq: 2, Body: &pdu.Answer{MessageID: "7"}},
		{ID: pdu.SubmitSMResp, Status: pdu.Throttled, Seq: 2},
		{ID: pdu.GenericNack, Status: pdu.InvalidPDU, Seq: 2},
		{ID: pdu.BindTransceiverResp, Seq: 2, Body: &pdu.BindResp{}},
		{ID: pdu.EnquireLink, Seq: 2},
		{ID: pdu.Unbind, Seq: 2},
		{ID: 0x99, Seq: 2, Body: pdu.Raw("?")},
	} {
		b, err := p.Append(nil)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		synctest.Test(t, func(t *testing.T) {
			s, d := newSMSC(), newDesk()
			s.handle(pdu.SubmitSM, silent)
			c, err := smpp.New(config(), smpp.Deps{
				Receive: d.receive, Log: slog.New(alarm{t}), Now: time.Now, Observer: d, Dial: s.dial,
			})
			if err != nil {
				t.Fatal(err)
			}
			stop := run(t, c)
			p := s.peer(t)
			done := make(chan struct{})
			go func() {
				defer close(done)
				c.Submit(t.Context(), text(t, long))
			}()
			synctest.Wait()
			p.raw(b)
			time.Sleep(time.Second)
			for _, state := range c.Binds() {
				if state.Window < 0 || state.Window > 10 {
					t.Errorf("%d submits are unanswered; want 0 to 10", state.Window)
				}
			}
			<-done
			stop()
		})
	})
}
