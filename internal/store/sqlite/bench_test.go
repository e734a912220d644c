package sqlite_test

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/verify"
)

// callers is how many goroutines share the writer in these benchmarks.
const callers = 64

type idle struct{}

func (idle) Wake()                                       {}
func (idle) Ended(string, string)                        {}
func (idle) Limited(delivery.Plan, phone.Recipient) bool { return true }

func benchService(b *testing.B) *verify.Service {
	b.Helper()
	s := open(b, filepath.Join(b.TempDir(), "bench.db"), nil)
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		b.Fatal(err)
	}
	if err := s.CreateAccount(b.Context(), account.Account{Name: "acme"}); err != nil {
		b.Fatal(err)
	}
	return verify.New(verify.Config{
		Store: s, Keys: keys, Dispatch: idle{}, Coverage: idle{}, Rules: guard.Compat(10), Random: rand.Reader,
	})
}

func benchRequest(i int64) verify.SendRequest {
	n, err := phone.Syntax(fmt.Sprintf("+49151%09d", i))
	if err != nil {
		panic(err)
	}
	return verify.SendRequest{
		Account: "acme", Origin: "bench", Recipient: n.Recipient(), Code: otp.NewCode("483920"), Form: otp.Folded,
		Policy:    otp.Policy{Length: 6, Alphabet: otp.Digits, Attempts: 3, Life: time.Hour},
		ProfileID: uuid.NewString(),
		Plan: delivery.Plan{Steps: []delivery.Step{{
			Channel: message.SMS, Sender: "VERIFY", Language: "en", Life: time.Hour, Wait: time.Minute,
			Text: message.Parse("ACME code #, valid 3 min.", []message.Placeholder{{Token: "#", Code: true}}),
		}}},
	}
}

// reportProcessor adds how much of the processor's time an operation took,
// which a busy machine changes less than how long it took.
func reportProcessor(b *testing.B) {
	b.Helper()
	spent := func() time.Duration {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			b.Fatal(err)
		}
		return time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	before := spent()
	b.Cleanup(func() { b.ReportMetric(float64((spent()-before).Microseconds())/float64(b.N), "cpu-us/op") })
}

func BenchmarkSend(b *testing.B) {
	service := benchService(b)
	var next atomic.Int64
	b.ReportAllocs()
	reportProcessor(b)
	b.SetParallelism(callers / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := service.Send(b.Context(), benchRequest(next.Add(1))); err != nil {
				b.Error(err)
				return
			}
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	service := benchService(b)
	refs := make([]verify.Ref, b.N/2+1)
	var wg sync.WaitGroup
	for caller := range callers {
		wg.Go(func() {
			for i := caller; i < len(refs); i += callers {
				rec, err := service.Send(b.Context(), benchRequest(int64(i)))
				if err != nil {
					b.Error(err)
					return
				}
				refs[i] = rec.Ref
			}
		})
	}
	wg.Wait()
	if b.Failed() {
		return
	}
	var next atomic.Int64
	b.ReportAllocs()
	reportProcessor(b)
	b.SetParallelism(callers / 2)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := int(next.Add(1)) - 1
			code := "000000"
			if i >= len(refs) {
				code = "483920"
			}
			if _, err := service.Check(b.Context(), verify.CheckRequest{Ref: refs[i%len(refs)], Code: otp.NewCode(code)}); err != nil {
				b.Error(err)
				return
			}
		}
	})
}
