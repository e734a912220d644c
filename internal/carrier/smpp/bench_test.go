package smpp_test

import (
	"net"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/delivery"
)

// window50 submits through one bind with 50 at a time, and reports submit_sm a
// second.
func window50(b *testing.B, r running) {
	b.Helper()
	m := text(b, "Your code is {code}.")
	if got := r.Submit(b.Context(), m); got.Class != delivery.Accepted {
		b.Fatalf("Submit = %+v; want Accepted", got)
	}
	b.ReportAllocs()
	b.SetParallelism(50)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if got := r.Submit(b.Context(), m); got.Class != delivery.Accepted {
				b.Errorf("Submit = %+v; want Accepted", got)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "submit_sm/s")
}

// BenchmarkSubmitOneBindWindow50 has a message centre in this process, over TCP.
func BenchmarkSubmitOneBindWindow50(b *testing.B) {
	l, err := (&net.ListenConfig{}).Listen(b.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	s := newSMSC()
	go accept(l, s)
	b.Cleanup(func() { _ = l.Close() })
	cfg, d := config(), newDesk()
	cfg.Port, cfg.Window = l.Addr().(*net.TCPAddr).Port, 50
	c, err := smpp.New(cfg, smpp.Deps{Receive: d.receive, Log: discard(), Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	window50(b, running{Carrier: c, stop: run(b, c)})
}

// BenchmarkSubmitToNPMWindow50 has npm's message centre, in a process of its
// own.
func BenchmarkSubmitToNPMWindow50(b *testing.B) {
	n := startNPM(b)
	r := n.carrier(b, "bench", func(c *smpp.Config) { c.Window = 50 })
	n.do(b, "bench", "quiet", nil, nil)
	window50(b, r)
}
