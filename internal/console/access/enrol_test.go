package access_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/console/access"
)

// enrolments are what the audit list says of users that were made.
func (b *bench) enrolments() (begun, undone int) {
	b.t.Helper()
	for _, e := range mustEntries(b.t, b.store) {
		if strings.Contains(e.Text, `"action":"console.enrol"`) {
			begun++
		}
		if strings.Contains(e.Text, `"action":"not_done"`) && strings.Contains(e.Text, `"subject":"console.enrol `) {
			undone++
		}
	}
	return begun, undone
}

func TestNobodyStandsInTheAuditListForWhoTriesTheirName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.enrolled(access.Owner)
	token := b.invite(access.Support)
	e := b.NewEnrolment(token)
	if _, err := b.Enrol(t.Context(), token, e, "jo", goodPassword, b.code(e.Secret)); !errors.Is(err, access.ErrNameTaken) {
		t.Errorf("Enrol with a name that is taken = %v, want ErrNameTaken", err)
	}
	if begun, undone := b.enrolments(); begun != 1 || undone != 0 {
		t.Errorf("%d enrolments audited, %d of them as not done; want jo's own", begun, undone)
	}
}

func TestOfManyUsesOfAnInviteTheAuditListSaysWhichMadeNoUser(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	token := b.invite(access.Owner)
	e := b.NewEnrolment(token)
	code := b.code(e.Secret)
	var made atomic.Int32
	var callers sync.WaitGroup
	for i := range 4 { // as many as get a turn to hash a password
		callers.Go(func() {
			_, err := b.Enrol(t.Context(), token, e, fmt.Sprintf("racer%d", i), goodPassword, code)
			switch {
			case err == nil:
				made.Add(1)
			case !errors.Is(err, access.ErrNotFound) && !errors.Is(err, access.ErrBusy):
				t.Errorf("Enrol = %v", err)
			}
		})
	}
	callers.Wait()
	begun, undone := b.enrolments()
	if made.Load() != 1 || begun-undone != 1 {
		t.Errorf("one invite made %d users; %d enrolments audited, %d of them as not done", made.Load(), begun, undone)
	}
}

func TestALocalSessionStaysOverWhenTheDeploymentIsLocalAgain(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.local.Store(true)
	session, err := b.Enter(t.Context(), b.invite(access.Owner))
	if err != nil {
		t.Fatal(err)
	}
	b.local.Store(false)
	if _, err := b.Session(t.Context(), session); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("the session where the deployment is not local = %v, want ErrNotFound", err)
	}
	b.local.Store(true)
	if _, err := b.Session(t.Context(), session); !errors.Is(err, access.ErrNotFound) {
		t.Errorf("the session when it is local again = %v, want ErrNotFound", err)
	}
}

func TestNobodySignsInToASuspendedAccount(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	secret, _ := b.enrolled(access.Owner)
	suspend := func(yes bool) {
		t.Helper()
		if err := b.store.SetSuspended(t.Context(), "acme", yes); err != nil {
			t.Fatal(err)
		}
	}
	suspend(true)
	if _, err := b.SignIn(t.Context(), "jo", "wrong", b.code(secret)); !errors.Is(err, access.ErrWrong) {
		t.Errorf("SignIn with a wrong password = %v, want ErrWrong: others are not told", err)
	}
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.code(secret)); !errors.Is(err, access.ErrSuspended) {
		t.Errorf("SignIn = %v, want ErrSuspended", err)
	}
	if got := strings.Join(b.actions(), " "); strings.Contains(got, "sign_in") {
		t.Errorf("audited %s, want no sign-in", got)
	}
	suspend(false)
	b.wall.Add(time.Minute) // the next code of the app
	if _, err := b.SignIn(t.Context(), "jo", goodPassword, b.code(secret)); err != nil {
		t.Errorf("SignIn once the account is enabled = %v", err)
	}
}
