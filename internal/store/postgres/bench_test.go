package postgres_test

import (
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/pgtest"
)

// callers is how many of a benchmark's callers wait at a time, as in P5.
const callers = 64

func BenchmarkSend(b *testing.B) {
	s := made(b, pgtest.URL(b))
	rules := guard.Compat(10)
	b.SetParallelism(callers / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			id := uuid.New()
			n := newOTP(b, id.String(), time.Minute)
			n.RecipientKey, n.Limited, n.Rules = id, true, rules
			if _, err := s.CreateOTP(b.Context(), n); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkCheck checks each OTP twice: a wrong code, then the right one.
func BenchmarkCheck(b *testing.B) {
	s := made(b, pgtest.URL(b))
	ids := make([]string, b.N/2+1)
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := c; i < len(ids); i += callers {
				ids[i] = sent(b, s)
			}
		})
	}
	wg.Wait()
	var next atomic.Int64
	b.SetParallelism(callers / runtime.GOMAXPROCS(0))
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			i := int(next.Add(1)) - 1
			code := wrongCode
			if i%2 == 1 {
				code = rightCode
			}
			if _, err := s.CountAttempt(b.Context(), guess(ids[i/2], code)); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
