package postgres_test

import (
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/pgtest"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/stolen"
	"github.com/countersign/countersign/internal/store/postgres"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/verify"
)

// plainHasher is a keyed hash for codes whose secrecy does not matter.
type plainHasher struct{}

func (plainHasher) Current() otp.KeyID { return 1 }
func (plainHasher) Known() []otp.KeyID { return []otp.KeyID{1} }

func (plainHasher) Sum(_ otp.KeyID, parts ...string) (d otp.Digest) {
	at := 0
	for _, p := range parts {
		for _, b := range []byte(p + "\x00") {
			d[at%len(d)] = d[at%len(d)]*31 + b
			at++
		}
	}
	return d
}

const (
	rightCode = "483920"
	wrongCode = "000000"
)

// newOTP is what a Send of the account acme writes.
func newOTP(t testing.TB, id string, life time.Duration) verify.NewOTP {
	t.Helper()
	to, err := phone.ParseRecipient("+4915112345678")
	if err != nil {
		t.Fatal(err)
	}
	n := verify.NewOTP{
		Ref: ref(id), Recipient: to, RecipientKey: [16]byte{1},
		Allowed: 3, Life: life, Rule: otp.Rule{Length: len(rightCode)}, Dedupe: uuid.NewString(), Sealed: []byte("sealed"),
		Plan: delivery.Plan{Steps: []delivery.Step{{Channel: message.SMS, Wait: time.Minute}}},
	}
	n.Key, n.Digest = otp.Hash(plainHasher{}, otp.Subject{Account: "acme", ID: id}, n.Rule, otp.NewCode(rightCode))
	return n
}

func ref(id string) verify.Ref { return verify.Ref{Account: "acme", Origin: "test", ID: id} }

// guess is a Check of what newOTP wrote.
func guess(id, code string) verify.Attempt {
	return verify.Attempt{Ref: ref(id), Guess: otp.NewGuess(plainHasher{}, otp.Subject{Account: "acme", ID: id}, otp.NewCode(code))}
}

// made is a database with the account acme.
func made(t testing.TB, url string) *postgres.Store {
	t.Helper()
	s := open(t, url, nil)
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	return s
}

// sent sends an OTP that lives longer than any test and returns its id.
func sent(t testing.TB, s *postgres.Store) string {
	t.Helper()
	id := uuid.NewString()
	if _, err := s.CreateOTP(t.Context(), newOTP(t, id, time.Hour)); err != nil {
		t.Fatal(err)
	}
	return id
}

// twoNodes are two stores on one database. Each has answered a check: of many that
// come at once to a node that does not know their account yet, and has no
// connections, a slow machine has it refuse some.
func twoNodes(t testing.TB) [2]*postgres.Store {
	t.Helper()
	url := pgtest.URL(t)
	nodes := [2]*postgres.Store{made(t, url), open(t, url, nil)}
	for _, n := range nodes {
		if _, err := n.CountAttempt(t.Context(), guess(uuid.NewString(), wrongCode)); !errors.Is(err, verify.ErrNotFound) {
			t.Fatalf("a check of no OTP = %v, want ErrNotFound", err)
		}
	}
	return nodes
}

func TestGuessesThroughTwoNodesAreCountedExactly(t *testing.T) {
	t.Parallel()
	nodes := twoNodes(t)
	for _, c := range []struct {
		name, code string
		guesses    int
		want       map[otp.Verdict]int
	}{
		{"wrong", wrongCode, 300, map[otp.Verdict]int{otp.Wrong: 2, otp.Spent: 1, otp.Closed: 297}},
		{"right", rightCode, 200, map[otp.Verdict]int{otp.Right: 1, otp.Closed: 199}},
	} {
		id := sent(t, nodes[0])
		got := storetest.Verdicts(t, c.guesses, func(ctx context.Context, i int) (verify.Checked, error) {
			return nodes[i%2].CountAttempt(ctx, guess(id, c.code))
		})
		if !cmp.Equal(got, c.want) {
			t.Errorf("%s: verdicts %v, want %v", c.name, got, c.want)
		}
	}
}

func TestNodesNeverShareAClaim(t *testing.T) {
	t.Parallel()
	nodes := twoNodes(t)
	const sends = 120
	for range sends {
		sent(t, nodes[0])
	}
	var mu sync.Mutex // guards seen
	seen := map[string]int{}
	var wg sync.WaitGroup
	for n := range 6 {
		wg.Go(func() {
			for range 100 {
				jobs, _, err := nodes[n%2].ClaimDeliveries(context.WithoutCancel(t.Context()), strconv.Itoa(n), 7, time.Hour)
				if err != nil {
					t.Errorf("ClaimDeliveries: %v", err)
					return
				}
				mu.Lock()
				for _, j := range jobs {
					seen[j.Dedupe]++
				}
				done := len(seen) == sends
				mu.Unlock()
				if done {
					return
				}
			}
		})
	}
	wg.Wait()
	for dedupe, n := range seen {
		if n != 1 {
			t.Errorf("%s was claimed %d times", dedupe, n)
		}
	}
	if len(seen) != sends {
		t.Errorf("claimed %d deliveries, want %d", len(seen), sends)
	}
}

func TestADeadNodesClaimIsTakenOverAfterItsLease(t *testing.T) {
	t.Parallel()
	nodes := twoNodes(t)
	sent(t, nodes[0])
	const lease = 300 * time.Millisecond
	jobs, _, err := nodes[0].ClaimDeliveries(t.Context(), "dies", 10, lease)
	if err != nil || len(jobs) != 1 {
		t.Fatalf("claimed %d, %v; want 1", len(jobs), err)
	}
	deadline := time.Now().Add(patience)
	for time.Now().Before(deadline) {
		again, next, err := nodes[1].ClaimDeliveries(t.Context(), "takes over", 10, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) == 1 {
			if again[0].Dedupe != jobs[0].Dedupe {
				t.Errorf("took over %v, want the same delivery", again[0].Key)
			}
			return
		}
		time.Sleep(min(lease, max(time.Millisecond, time.Until(next))))
	}
	t.Error("nobody took the delivery over")
}

func TestARevokedKeyIsSeenByEveryNodeWithinASecond(t *testing.T) {
	t.Parallel()
	nodes := twoNodes(t)
	k := account.Key{ID: "k1", Account: "acme", Hash: [32]byte{1}}
	if err := nodes[0].CreateKey(t.Context(), k); err != nil {
		t.Fatal(err)
	}
	before, err := nodes[1].AccessVersion(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := nodes[0].RevokeKey(t.Context(), "k1"); err != nil {
		t.Fatal(err)
	}
	stolen.Within(t, time.Second, "the other node's access version has changed (K-03)", func() bool {
		now, err := nodes[1].AccessVersion(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return now != before
	})
}
