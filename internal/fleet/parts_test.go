package fleet_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/countersign/countersign/internal/carrier/smpp/pdu"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// centre is a message centre that accepts everything.
type centre struct {
	net.Listener

	ids      atomic.Int64
	bound    chan net.Conn // the connections, once they are bound
	answered chan pdu.PDU  // what receipts were answered with
}

func newCentre(t *testing.T) *centre {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	c := &centre{Listener: l, bound: make(chan net.Conn, 10), answered: make(chan pdu.PDU, 10)}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go c.serve(conn)
		}
	}()
	return c
}

func (c *centre) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		q, err := pdu.Read(conn)
		if err != nil {
			return
		}
		if q.ID.Response() {
			c.answered <- q
			continue
		}
		answer := pdu.PDU{ID: q.ID.Resp(), Seq: q.Seq}
		switch q.Body.(type) {
		case *pdu.Bind:
			answer.Body = &pdu.BindResp{SystemID: "centre"}
		case *pdu.Message:
			answer.Body = &pdu.Answer{MessageID: fmt.Sprint("m", c.ids.Add(1))}
		}
		if write(conn, answer) != nil {
			return
		}
		if q.ID == pdu.BindTransceiver {
			c.bound <- conn
		}
	}
}

// deliver reports over conn that a part arrived, and waits for the answer.
func (c *centre) deliver(t *testing.T, conn net.Conn, id string) {
	t.Helper()
	err := write(conn, pdu.PDU{ID: pdu.DeliverSM, Seq: 1, Body: &pdu.Message{
		Source: pdu.Address{TON: 1, NPI: 1, Text: "4915112345678"}, Dest: pdu.Address{TON: 5, Text: "Acme"}, ESMClass: 0x04,
		Short: []byte("id:" + id + " sub:001 dlvrd:001 submit date:2611220034 done date:2611220035 stat:DELIVRD err:000 text:"),
	}})
	if err != nil {
		t.Fatal(err)
	}
	if q := <-c.answered; q.Status != pdu.OK {
		t.Errorf("the receipt of %s is answered with %v; want OK", id, q.Status)
	}
}

func write(conn net.Conn, p pdu.PDU) error {
	b, err := p.Append(nil)
	if err == nil {
		_, err = conn.Write(b)
	}
	return err
}

func TestALongMessageIsDeliveredWhenAllItsPartsAreAlsoAfterAReload(t *testing.T) {
	t.Parallel()
	c, d := newCentre(t), deps()
	news := make(chan delivery.Receipt, 10)
	d.Receive = func(_ context.Context, r delivery.Receipt) (bool, error) { news <- r; return true, nil }
	toml := strings.Replace(smppTOML("a"), "port = 1", fmt.Sprint("port = ", c.Addr().(*net.TCPAddr).Port), 1)
	f := serving(t, d, toml)
	<-c.bound
	long := text(t, "one")
	long.Step.Text = message.Parse(strings.Repeat("0123456789", 16)+"{code}", []message.Placeholder{{Token: "{code}", Code: true}})
	if r := f.Router().Route(message.SMS, number(t), "")[0].Submit(t.Context(), long); r.Class != delivery.Accepted || c.ids.Load() != 2 {
		t.Fatalf("Submit = %+v, %d parts; want two accepted", r, c.ids.Load())
	}
	reload(t, f, toml+"rate = 50\n")
	conn := <-c.bound
	c.deliver(t, conn, "m1")
	if n := len(news); n != 0 {
		t.Errorf("%d receipts after one of two parts arrived; want none", n)
	}
	c.deliver(t, conn, "m2")
	select {
	case r := <-news:
		if r.Ref != "m1" || r.State != delivery.ReceiptDelivered {
			t.Errorf("receipt = %+v; want m1 delivered", r)
		}
	default:
		t.Error("no receipt after both parts arrived; want one")
	}
}
