package access_test

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/countersign/countersign/internal/console/access"
)

// hashing must not use up the memory.
func TestTwoPasswordsAreHashedAtATimeAndAThirdWaitsFiveSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := access.NewPasswords()
		first := p.TakeTurn()
		kept, err := p.Hash(t.Context(), goodPassword)
		if err != nil {
			t.Fatalf("beside one other: %v", err)
		}
		second := p.TakeTurn()
		begun := time.Now()
		if _, err := p.Hash(t.Context(), goodPassword); !errors.Is(err, access.ErrBusy) || time.Since(begun) != 5*time.Second {
			t.Errorf("beside two others, Hash = %v after %v; want ErrBusy after 5 s", err, time.Since(begun))
		}
		if _, err := p.Matches(t.Context(), kept, goodPassword); !errors.Is(err, access.ErrBusy) {
			t.Errorf("beside two others, Matches = %v; want ErrBusy", err)
		}
		if _, err := p.Matches(t.Context(), "", goodPassword); !errors.Is(err, access.ErrBusy) {
			t.Errorf("beside two others, Matches for nobody = %v; want ErrBusy", err)
		}
		done := make(chan error)
		go func() {
			_, err := p.Hash(t.Context(), goodPassword)
			done <- err
		}()
		time.Sleep(5*time.Second - 1)
		first()
		if err := <-done; err != nil {
			t.Errorf("once a turn is free just in time: %v", err)
		}
		second()
	})
}

// codeAt is what an authenticator app shows so long after now.
func (b *bench) codeAt(secret string, after time.Duration) string {
	b.t.Helper()
	code, err := totp.GenerateCode(secret, b.wall.Now().Add(after))
	if err != nil {
		b.t.Fatal(err)
	}
	return code
}

func TestACodeIsRightOneStepBeforeAndAfterItsOwnAndNoFurther(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]error{
		-60 * time.Second: access.ErrWrong, -30 * time.Second: nil, 0: nil, 30 * time.Second: nil, 60 * time.Second: access.ErrWrong,
	} {
		b := newBench(t)
		secret, _ := b.enrolled(access.Owner)
		b.wall.Add(10 * time.Minute)
		if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.codeAt(secret, after)); !errors.Is(err, want) {
			t.Errorf("a code of %v from now = %v; want %v", after, err, want)
		}
	}
}

func TestACodeOlderThanTheLastUsedOneIsUsedUpToo(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, _ := b.enrolled(access.Owner)
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.code(secret)); err != nil {
		t.Fatal(err)
	}
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.codeAt(secret, -30*time.Second)); !errors.Is(err, access.ErrWrong) {
		t.Errorf("the code before the one that was used = %v, want ErrWrong", err)
	}
}

func TestTheCodeOfAnEnrolmentDoesNotSignInAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token := b.invite(access.Owner)
	e := b.NewEnrolment(token)
	code := b.code(e.Secret)
	if _, err := b.Enrol(t.Context(), token, e, "jo", goodPassword, code); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := b.SignIn(t.Context(), "jo", goodPassword, code); !errors.Is(err, access.ErrWrong) {
			t.Errorf("the enrolment's code = %v, want ErrWrong", err)
		}
	}
	b.wall.Add(30 * time.Second)
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.code(e.Secret)); err != nil {
		t.Errorf("the next code = %v", err)
	}
}

// being in use does not carry a session beyond twelve hours.
func TestASessionInConstantUseLivesTwelveHoursAndNoLonger(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	session := b.signedInAgain(t)
	begun := b.wall.Now()
	use := func(at time.Duration) error {
		b.wall.Add(begun.Add(at).Sub(b.wall.Now()))
		_, err := b.Session(t.Context(), session)
		return err
	}
	for at := time.Duration(0); at < 12*time.Hour; at += 20 * time.Minute {
		if err := use(at); err != nil {
			t.Fatalf("after %v in use: %v", at, err)
		}
	}
	for _, at := range []time.Duration{12*time.Hour - time.Minute, 12*time.Hour - time.Second} {
		if err := use(at); err != nil {
			t.Errorf("after %v in use: %v", at, err)
		}
	}
	if err := use(12*time.Hour + time.Second); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("a second after twelve hours, in use until the last = %v, want ErrNotFound", err)
	}
	if _, err := b.Peek(t.Context(), session); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("Peek = %v, want ErrNotFound", err)
	}
}
