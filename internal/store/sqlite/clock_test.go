package sqlite_test

import (
	"log/slog"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/store/highwater"
	"github.com/countersign/countersign/internal/store/sqlite"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/verify"
)

// openAt opens the database with a wall clock; the caller closes it.
func openAt(t testing.TB, path string, wall func() time.Time) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), sqlite.Config{Path: path, Wall: wall, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return s
}

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

// rightCode is the code of every OTP of newOTP.
const rightCode = "483920"

// newOTP is what a Send of the account acme writes.
func newOTP(t testing.TB, id string, life time.Duration) verify.NewOTP {
	t.Helper()
	to, err := phone.ParseRecipient("+4915112345678")
	if err != nil {
		t.Fatal(err)
	}
	n := verify.NewOTP{
		Ref: verify.Ref{Account: "acme", Origin: "test", ID: id}, Recipient: to, RecipientKey: [16]byte{1},
		Allowed: 3, Life: life, Rule: otp.Rule{Length: len(rightCode)}, Dedupe: uuid.NewString(), Sealed: []byte("sealed"),
		Plan: delivery.Plan{Steps: []delivery.Step{{Channel: message.SMS, Wait: time.Minute}}},
	}
	n.Key, n.Digest = otp.Hash(plainHasher{}, otp.Subject{Account: "acme", ID: id}, n.Rule, otp.NewCode(rightCode))
	return n
}

// guess is a Check of what newOTP wrote.
func guess(id, code string) verify.Attempt {
	return verify.Attempt{
		Ref:   verify.Ref{Account: "acme", Origin: "test", ID: id},
		Guess: otp.NewGuess(plainHasher{}, otp.Subject{Account: "acme", ID: id}, otp.NewCode(code)),
	}
}

func TestAClockSetBackOverARestartRevivesNothing(t *testing.T) {
	t.Parallel()
	path := made(t)
	wall := &storetest.Wall{}
	s := openAt(t, path, wall.Now)
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	for id, life := range map[string]time.Duration{"over": time.Minute, "open": 3 * time.Minute} {
		if _, err := s.CreateOTP(t.Context(), newOTP(t, id, life)); err != nil {
			t.Fatal(err)
		}
	}
	wall.Add(2 * time.Minute)
	told := s.Now()
	storedBy(t, path, told)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}

	wall.Add(-time.Hour)
	s = openAt(t, path, wall.Now)
	defer s.Close()
	if now := s.Now(); now.Before(told) {
		t.Errorf("after the restart the time is %v, want no earlier than %v (V-10)", now, told)
	}
	if c, err := s.CountAttempt(t.Context(), guess("over", rightCode)); err != nil || c.Verdict != otp.Late {
		t.Errorf("the right code for what had expired = %v, %v; want Late", c.Verdict, err)
	}
	// The open OTP lives on for the minute that was left of it and no longer.
	wall.Add(time.Minute - time.Microsecond)
	if c, err := s.CountAttempt(t.Context(), guess("open", "000000")); err != nil || c.Verdict != otp.Wrong {
		t.Errorf("a check in its last moment = %v, %v; want Wrong", c.Verdict, err)
	}
	wall.Add(time.Microsecond)
	if c, err := s.CountAttempt(t.Context(), guess("open", rightCode)); err != nil || c.Verdict != otp.Late {
		t.Errorf("the right code at its expiry = %v, %v; want Late: the step back lengthened its life", c.Verdict, err)
	}
}

// storedBy waits until the stored high-water mark has reached want.
func storedBy(t testing.TB, path string, want time.Time) {
	t.Helper()
	db := raw(t, path)
	deadline := time.Now().Add(patience)
	for {
		var mark int64
		_ = db.QueryRowContext(t.Context(), "SELECT value FROM meta WHERE name = ?", highwater.Meta).Scan(&mark)
		if mark >= want.UnixMicro() {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the stored high-water mark is %v, want %v", time.UnixMicro(mark).UTC(), want)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func TestAClockSetBackWhileRunningIsNotFollowed(t *testing.T) {
	t.Parallel()
	wall := &storetest.Wall{}
	path := made(t)
	s := openAt(t, path, wall.Now)
	defer s.Close()
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateOTP(t.Context(), newOTP(t, "o1", time.Minute)); err != nil {
		t.Fatal(err)
	}
	wall.Add(time.Minute)
	if got := s.Now(); !got.Equal(storetest.Start.Add(time.Minute)) {
		t.Fatalf("Now() = %v", got)
	}
	wall.Add(-30 * time.Second)
	if c, err := s.CountAttempt(t.Context(), guess("o1", rightCode)); err != nil || c.Verdict != otp.Late {
		t.Errorf("the right code after the clock was set back = %v, %v; want Late", c.Verdict, err)
	}
}

func TestAnIdleDatabaseIsWrittenOnceAMinuteForTheClock(t *testing.T) {
	t.Parallel()
	path := made(t)
	var mu sync.Mutex
	now := storetest.Start
	s := openAt(t, path, func() time.Time { mu.Lock(); defer mu.Unlock(); return now })
	defer s.Close()
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateOTP(t.Context(), newOTP(t, "o1", time.Minute)); err != nil {
		t.Fatal(err)
	}
	mu.Lock()
	now = now.Add(2 * time.Minute) // past the last open expiry
	mu.Unlock()
	storedBy(t, path, storetest.Start.Add(2*time.Minute))
	mu.Lock()
	now = now.Add(59 * time.Second)
	mu.Unlock()
	time.Sleep(3 * 500 * time.Millisecond) // three turns of the keeper
	var mark int64
	if err := raw(t, path).QueryRowContext(t.Context(), "SELECT value FROM meta WHERE name = ?", highwater.Meta).Scan(&mark); err != nil {
		t.Fatal(err)
	}
	if want := storetest.Start.Add(2 * time.Minute).UnixMicro(); mark != want {
		t.Errorf("the mark went on to %s, want it to rest at %s once nothing is open", strconv.FormatInt(mark, 10), strconv.FormatInt(want, 10))
	}
	mu.Lock()
	now = now.Add(time.Second)
	mu.Unlock()
	storedBy(t, path, storetest.Start.Add(3*time.Minute)) // for sessions and invitations
}

func TestWhoStartsBesideAServerThatIsAheadGoesOnFromItsTime(t *testing.T) {
	t.Parallel()
	path := made(t)
	wall := &storetest.Wall{}
	wall.Add(30 * time.Second)
	s := openAt(t, path, wall.Now)
	defer s.Close()
	storedBy(t, path, wall.Now())
	wall.Add(20 * time.Second)
	ahead := s.Now()
	wall.Add(-50 * time.Second)
	storedBy(t, path, ahead)
	other := openAt(t, path, wall.Now)
	defer other.Close()
	if now := other.Now(); now.Before(ahead) {
		t.Errorf("who starts then has %v, want no earlier than %v: the other would end its OTPs at once (V-10)", now, ahead)
	}
}

func TestTheMarkGoesOnForOTPsOfOtherProcesses(t *testing.T) {
	t.Parallel()
	path := made(t)
	wall := &storetest.Wall{}
	server := openAt(t, path, wall.Now)
	defer server.Close()
	if err := server.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	storedBy(t, path, wall.Now())
	wall.Add(10 * time.Second)
	command := openAt(t, path, wall.Now)
	if _, err := command.CreateOTP(t.Context(), newOTP(t, "o1", time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := command.Close(); err != nil {
		t.Fatal(err)
	}
	var mark int64
	if err := raw(t, path).QueryRowContext(t.Context(), "SELECT value FROM meta WHERE name = ?", highwater.Meta).Scan(&mark); err != nil {
		t.Fatal(err)
	}
	if want := wall.Now().UnixMicro(); mark < want {
		t.Errorf("a command that made an OTP left the mark at %s, want %s", strconv.FormatInt(mark, 10), strconv.FormatInt(want, 10))
	}
	wall.Add(20 * time.Second)
	storedBy(t, path, wall.Now())
}

func TestTheTimeOfACheckIsReadAfterTheLock(t *testing.T) {
	t.Parallel()
	path := made(t)
	wall := &storetest.Wall{}
	s := openAt(t, path, wall.Now)
	defer s.Close()
	if err := s.CreateAccount(t.Context(), account.Account{Name: "acme"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.CreateOTP(t.Context(), newOTP(t, "o1", time.Minute)); err != nil {
		t.Fatal(err)
	}
	// The check comes in time, but its turn comes late: what counts is when the
	// OTP is looked at (V-03).
	s.Rest() // so that what is queued is the check
	b := bench{s, t, nil}
	release := b.hold()
	result := make(chan verify.Checked, 1)
	go func() {
		c, err := s.CountAttempt(t.Context(), guess("o1", rightCode))
		if err != nil {
			t.Errorf("CountAttempt: %v", err)
		}
		result <- c
	}()
	b.queued(1)
	wall.Add(time.Minute)
	release()
	if c := <-result; c.Verdict != otp.Late || c.Record.State != otp.Expired {
		t.Errorf("the right code whose turn came at the expiry = %v, state %v; want Late", c.Verdict, c.Record.State)
	}
}
