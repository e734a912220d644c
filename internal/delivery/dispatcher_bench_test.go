package delivery_test

import (
	"testing"
	"time"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// handedOver tells of each delivery that is about to be handed over.
type handedOver struct {
	latencies
	c chan struct{}
}

func (h *handedOver) Handed(message.Channel, time.Duration) { h.c <- struct{}{} }

// BenchmarkAcceptToCarrier is the time from a Send to its submit, with SQLite
// and nothing else going on: two commits.
func BenchmarkAcceptToCarrier(b *testing.B) {
	s := newSystem(b, time.Now)
	h := &handedOver{c: make(chan struct{}, 1)}
	cfg := s.config()
	cfg.Observer = h
	s.dispatcher = delivery.NewDispatcher(cfg)
	s.service.Dispatch = s.dispatcher
	s.service.Rules.Sends = nil
	stop := start(b, s.dispatcher)
	b.ReportAllocs()
	for b.Loop() {
		s.send("1111", message.SMS)
		<-h.c
	}
	if err := stop(); err != nil {
		b.Errorf("Run = %v", err)
	}
}

// BenchmarkFullSend is sends by 64 callers at once until all are delivered.
func BenchmarkFullSend(b *testing.B) {
	s := newSystem(b, time.Now)
	h := &handedOver{c: make(chan struct{}, 1<<20)}
	cfg := s.config()
	cfg.Observer = h
	s.dispatcher = delivery.NewDispatcher(cfg)
	s.service.Dispatch = s.dispatcher
	stop := start(b, s.dispatcher)
	b.SetParallelism(32)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			s.send("1111", message.SMS)
		}
	})
	for range b.N {
		<-h.c
	}
	if err := stop(); err != nil {
		b.Errorf("Run = %v", err)
	}
}
