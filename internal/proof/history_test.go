package proof_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

// What the histories are made of: few tries and sends, so that edges are met
// often, and windows longer than any history.
var histories = terms{
	allowed: 3,
	life:    10 * time.Second,
	rules: guard.Rules{
		Sends: []guard.Window{{Max: 9, Per: 24 * time.Hour}}, SendsPerOTP: 3,
		Failures: []guard.Window{{Max: 7, Per: 24 * time.Hour}}, StopRetryAfter: time.Hour,
	},
}

const (
	rightCode = "483920"
	wrongCode = "000000"
)

// silent is a verify.Dispatch and a verify.Coverage for a stack without
// carriers, in which limits apply to everything.
type silent struct{}

func (silent) Wake()                                       {}
func (silent) Ended(string, string)                        {}
func (silent) Limited(delivery.Plan, phone.Recipient) bool { return true }

// stack is the service over a real database with a clock that tests turn.
type stack struct {
	path  string
	wall  *storetest.Wall
	keys  *secret.Keyring
	store *sqlite.Store
}

func newStack(t testing.TB) *stack {
	t.Helper()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{path: filepath.Join(t.TempDir(), "countersign.db"), wall: &storetest.Wall{}, keys: keys}
	testdb.PutBlank(t, s.path)
	s.open(t)
	t.Cleanup(func() {
		if err := s.store.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	if err := s.store.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *stack) open(t testing.TB) {
	t.Helper()
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: s.path, Wall: s.wall.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("open the store: %v", err)
	}
	s.store = store
}

func (s *stack) service(store verify.Store, rules guard.Rules) *verify.Service {
	return verify.New(verify.Config{
		Store: store, Keys: s.keys, Dispatch: silent{}, Coverage: silent{}, Rules: rules, Random: rand.Reader,
	})
}

// recorder runs clients and writes down what they saw.
type recorder struct {
	*stack
	service *verify.Service
	terms   terms
	origin  string // of all OTPs of this history

	clock atomic.Int64 // orders calls and returns

	mu      sync.Mutex // guards what follows
	history []porcupine.Operation
	people  []person
	problem error
	counts  [unknown + 1]int
}

// person is a recipient with the OTPs that were sent to it.
type person struct {
	to  phone.Recipient
	ids []string // by cell; "" while its Send is under way
}

// size says how large a history is.
type size struct {
	recipients, clients, calls int // calls of each client
}

// record runs clients against the service and returns the history.
func (s *stack) record(t testing.TB, store verify.Store, m terms, z size) *recorder {
	t.Helper()
	r := &recorder{stack: s, service: s.service(store, m.rules), terms: m, origin: "proof-" + uuid.NewString()[:8]}
	for i := range z.recipients {
		// Other histories in this database have other recipients.
		to, err := phone.FromE164(fmt.Sprintf("+4915%09d", mathrand.IntN(1e8)*10+i))
		if err != nil {
			t.Fatal(err)
		}
		r.people = append(r.people, person{to: to.Recipient()})
	}
	var clients sync.WaitGroup
	for id := range z.clients {
		clients.Go(func() {
			for range z.calls {
				// Time passes by calls, not by seconds, amid those of others. Now
				// and then the wall is set back, which must change nothing.
				switch mathrand.IntN(100) {
				case 0:
					s.wall.Add(-time.Duration(mathrand.Int64N(int64(m.life / 2))))
				case 1, 2, 3, 4, 5, 6, 7, 8:
					s.wall.Add(time.Duration(mathrand.Int64N(int64(m.life / 3))))
				}
				r.call(t.Context(), id)
			}
		})
	}
	clients.Wait()
	if r.problem != nil {
		t.Fatalf("a call that should not fail so: %v", r.problem)
	}
	return r
}

// call makes one random call and records it.
func (r *recorder) call(ctx context.Context, client int) {
	who := mathrand.IntN(len(r.people))
	in := input{recipient: who, op: opCheck}
	r.mu.Lock()
	p := &r.people[who]
	switch n := mathrand.IntN(100); {
	case len(p.ids) == 0 || n < 12 && len(p.ids) < cells:
		in.op, in.cell = opSend, len(p.ids)
		p.ids = append(p.ids, uuid.NewString())
	default:
		// The newest OTPs are asked for most.
		in.cell = max(0, len(p.ids)-1-mathrand.IntN(3))
		switch {
		case n < 22:
			in.op = opResend
		case n < 40:
			in.op = opGet
		case n < 45:
			in.op = opDelete
		default:
			in.right = n < 52
		}
	}
	to, id := p.to, p.ids[in.cell]
	r.mu.Unlock()

	cancel := context.CancelFunc(func() {})
	if mathrand.IntN(10) == 0 { // a caller that leaves early
		ctx, cancel = context.WithTimeout(ctx, time.Duration(mathrand.IntN(3000))*time.Microsecond)
	}
	defer cancel()
	in.lo = r.store.Now().UnixMicro()
	called := r.clock.Add(1)
	out, err := r.do(ctx, in, to, id)
	returned := r.clock.Add(1)
	in.hi = r.store.Now().UnixMicro()
	if out.outcome == unknown {
		returned, in.hi = math.MaxInt64, math.MaxInt64/2 // it may yet happen
	}

	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		if !errors.Is(err, errNothingDone) {
			r.problem = err
		}
		return
	}
	r.counts[out.outcome]++
	r.history = append(r.history, porcupine.Operation{ClientId: client, Input: in, Call: called, Output: out, Return: returned})
}

// errNothingDone says that a call is known to have changed nothing.
var errNothingDone = errors.New("nothing was done")

func (r *recorder) do(ctx context.Context, in input, to phone.Recipient, id string) (output, error) {
	ref := verify.Ref{Account: "acme", Origin: r.origin, ID: id}
	var rec verify.Record
	var v otp.Verdict
	var err error
	switch in.op {
	case opSend:
		rec, err = r.service.Send(ctx, verify.SendRequest{
			Account: ref.Account, Origin: ref.Origin, ID: ref.ID, Recipient: to, Code: otp.NewCode(rightCode), Resendable: true,
			Policy: otp.Policy{Length: 6, Alphabet: otp.Digits, Attempts: r.terms.allowed, Life: r.terms.life},
			Plan:   delivery.Plan{Steps: []delivery.Step{{Channel: message.SMS, Wait: time.Minute}}},
		})
	case opResend:
		rec, err = r.service.Resend(ctx, verify.ResendRequest{Ref: ref, Channel: message.SMS})
	case opCheck:
		code := wrongCode
		if in.right {
			code = rightCode
		}
		var c verify.Checked
		c, err = r.service.Check(ctx, verify.CheckRequest{Ref: ref, Code: otp.NewCode(code)})
		rec, v = c.Record, c.Verdict
	case opGet:
		rec, err = r.service.Get(ctx, ref)
	case opDelete:
		rec, err = r.service.Delete(ctx, ref, verify.Idempotency{})
	}
	if err == nil {
		return output{done, v, rec.State, rec.Attempts, rec.Expires.UnixMicro()}, nil
	}
	e, ok := errors.AsType[*verify.Error](err)
	if !ok {
		return output{}, err
	}
	switch e.Kind {
	case verify.NotFound:
		return output{outcome: notFound}, nil
	case verify.Ended:
		return output{outcome: ended}, nil
	case verify.Throttled:
		return output{outcome: throttled}, nil
	case verify.OutcomeUnknown:
		return output{outcome: unknown}, nil
	case verify.Unavailable:
		return output{}, errors.Join(errNothingDone, err)
	case verify.Internal, verify.Invalid, verify.Mismatch, verify.Running:
	}
	return output{}, err
}

// patience bounds the search for an order of a history.
const patience = 2 * time.Minute

// explain says whether some order of the calls fits the model and, if none
// does, draws the history into a file.
func (r *recorder) explain(t testing.TB) porcupine.CheckResult {
	t.Helper()
	result, info := porcupine.CheckOperationsVerbose(r.terms.model(), r.history, patience)
	if result == porcupine.Illegal && testing.Verbose() {
		f, err := os.CreateTemp("", "countersign-history-*.html") //nolint:usetesting // it is to be looked at afterwards
		if err == nil {
			defer f.Close()
			if err := porcupine.Visualize(r.terms.model(), info, io.Writer(f)); err == nil {
				t.Logf("the history is drawn in %s", f.Name())
			}
		}
	}
	return result
}
