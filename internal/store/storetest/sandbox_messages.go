package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/carrier/sandbox"
)

// SandboxStore is what RunSandbox checks.
type SandboxStore interface {
	sandbox.MessageStore
	sandbox.TemplateStore
	CreateAccount(ctx context.Context, a account.Account) error
}

// RunSandbox checks the stores of the sandbox that open returns: each one fresh
// and empty, and telling the time by wall.
func RunSandbox(t *testing.T, open func(t testing.TB, wall func() time.Time) SandboxStore) {
	t.Helper()
	for _, c := range []struct {
		name string
		run  func(*testing.T, SandboxStore, *Wall)
	}{
		{"a sandbox message is read as it was put", sandboxRoundTrip},
		{"a sandbox message put twice is there once", sandboxOnce},
		{"of many putting one sandbox message all succeed and it is there once", sandboxRace},
		{"sandbox messages are listed newest first, or oldest first", sandboxOrder},
		{"sandbox messages are selected by account, recipient and OTP", sandboxSelected},
		{"sandbox messages are read on from the last one", sandboxAfter},
		{"a sandbox message is gone after a day", sandboxDay},
		{"of an account's sandbox messages the newest ten thousand are kept", sandboxNewest},
		{"what a recipient got from an account is erased, and nothing else", sandboxErased},
		{"the sandbox of an account that does not exist is empty", sandboxOfNobody},

		{"a sandbox template is read as it was put", templateRoundTrip},
		{"sandbox templates belong to an account and a WhatsApp account", templateForeign},
		{"the name of a sandbox template is taken per language, whatever its case", templateTaken},
		{"a deleted sandbox template keeps its name for thirty days in every language", templateDeleted},
		{"of many putting one sandbox template one wins", templateRace},
		{"a sandbox template that is deleted takes all its languages along", templateWhole},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			wall := &Wall{}
			s := open(t, wall.Now)
			for _, name := range []string{acme, other} {
				if err := s.CreateAccount(t.Context(), account.Account{Name: name, Created: wall.Now()}); err != nil {
					t.Fatal(err)
				}
			}
			c.run(t, s, wall)
		})
	}
}

func sandboxMessage(name, otpID string) sandbox.SealedMessage {
	return sandbox.SealedMessage{
		Account: name, ID: uuid.NewString(), OTPID: otpID, RecipientKey: [16]byte{1, 2, 3}, Body: []byte{0, 255, 'x'},
	}
}

func putMessages(t *testing.T, s SandboxStore, all ...sandbox.SealedMessage) {
	t.Helper()
	for _, m := range all {
		if err := s.PutMessage(t.Context(), m); err != nil {
			t.Fatalf("PutMessage: %v", err)
		}
	}
}

func messages(t *testing.T, s SandboxStore, q sandbox.MessageQuery) []sandbox.SealedMessage {
	t.Helper()
	if q.Limit == 0 {
		q.Limit = 100
	}
	got, err := s.Messages(t.Context(), q)
	if err != nil {
		t.Fatalf("Messages(%+v): %v", q, err)
	}
	return got
}

// bare leaves out what the store sets.
func bare() cmp.Option {
	return cmpopts.IgnoreFields(sandbox.SealedMessage{}, "Seq", "Created")
}

func sandboxRoundTrip(t *testing.T, s SandboxStore, wall *Wall) {
	wall.Add(1234567 * time.Microsecond)
	for _, otpID := range []string{uuid.NewString(), "0", "Mixed-Case", "ABCDEFGHIJKLMNO"} {
		want := sandboxMessage(acme, otpID)
		putMessages(t, s, want)
		got := messages(t, s, sandbox.MessageQuery{Account: acme, Limit: 1})
		want.Created = wall.Now()
		if diff := cmp.Diff([]sandbox.SealedMessage{want}, got, cmpopts.IgnoreFields(sandbox.SealedMessage{}, "Seq")); diff != "" {
			t.Errorf("messages (-want +got):\n%s", diff)
		}
	}
}

func sandboxOnce(t *testing.T, s SandboxStore, _ *Wall) {
	first := sandboxMessage(acme, "o1")
	again := first
	again.Body = []byte("another nonce")
	putMessages(t, s, first, again)
	if diff := cmp.Diff([]sandbox.SealedMessage{first}, messages(t, s, sandbox.MessageQuery{Account: acme}), bare()); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	second := sandboxMessage(acme, "o1")
	foreign := first
	foreign.Account = other
	putMessages(t, s, second, foreign)
	if got := messages(t, s, sandbox.MessageQuery{}); len(got) != 3 {
		t.Errorf("%d messages, want another of the OTP and another account's beside the first", len(got))
	}
}

func sandboxRace(t *testing.T, s SandboxStore, _ *Wall) {
	m := sandboxMessage(acme, "o1")
	var callers sync.WaitGroup
	for range 20 {
		callers.Go(func() {
			if err := s.PutMessage(t.Context(), m); err != nil {
				t.Errorf("PutMessage: %v", err)
			}
		})
	}
	callers.Wait()
	if got := messages(t, s, sandbox.MessageQuery{Account: acme}); len(got) != 1 {
		t.Errorf("%d messages, want 1", len(got))
	}
}

// several puts five messages of two accounts and returns them.
func several(t *testing.T, s SandboxStore) []sandbox.SealedMessage {
	t.Helper()
	all := []sandbox.SealedMessage{
		sandboxMessage(acme, "o1"), sandboxMessage(other, "o1"), sandboxMessage(acme, "o2"), sandboxMessage(acme, "o1"), sandboxMessage(other, "o3"),
	}
	all[3].RecipientKey = [16]byte{9}
	all[4].RecipientKey = [16]byte{9}
	putMessages(t, s, all...)
	return all
}

func sandboxOrder(t *testing.T, s SandboxStore, _ *Wall) {
	all := several(t, s)
	oldest := []sandbox.SealedMessage{all[0], all[2], all[3]}
	newest := []sandbox.SealedMessage{all[3], all[2], all[0]}
	for _, c := range []struct {
		q    sandbox.MessageQuery
		want []sandbox.SealedMessage
	}{
		{sandbox.MessageQuery{Account: acme}, newest},
		{sandbox.MessageQuery{Account: acme, Limit: 2}, newest[:2]},
		{sandbox.MessageQuery{Account: acme, OldestFirst: true}, oldest},
		{sandbox.MessageQuery{Account: acme, OldestFirst: true, Limit: 2}, oldest[:2]},
		{sandbox.MessageQuery{OldestFirst: true}, all},
	} {
		if diff := cmp.Diff(c.want, messages(t, s, c.q), bare()); diff != "" {
			t.Errorf("Messages(%+v) (-want +got):\n%s", c.q, diff)
		}
	}
}

func sandboxSelected(t *testing.T, s SandboxStore, _ *Wall) {
	all := several(t, s)
	for _, c := range []struct {
		q    sandbox.MessageQuery
		want []int // of all, newest first
	}{
		{sandbox.MessageQuery{Account: acme, OTPID: "o1"}, []int{3, 0}},
		{sandbox.MessageQuery{Account: acme, OTPID: "O1"}, nil},
		{sandbox.MessageQuery{Account: acme, OTPID: "o3"}, nil},
		{sandbox.MessageQuery{Account: acme, RecipientKey: all[0].RecipientKey}, []int{2, 0}},
		{sandbox.MessageQuery{Account: acme, OTPID: "o1", RecipientKey: all[0].RecipientKey}, []int{0}},
		{sandbox.MessageQuery{Account: other, RecipientKey: all[3].RecipientKey}, []int{4}},
		{sandbox.MessageQuery{RecipientKey: all[3].RecipientKey}, []int{4, 3}},
		{sandbox.MessageQuery{OTPID: "o1"}, []int{3, 1, 0}},
	} {
		var want []sandbox.SealedMessage
		for _, i := range c.want {
			want = append(want, all[i])
		}
		if diff := cmp.Diff(want, messages(t, s, c.q), bare(), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("Messages(%+v) (-want +got):\n%s", c.q, diff)
		}
	}
}

func sandboxAfter(t *testing.T, s SandboxStore, _ *Wall) {
	all := several(t, s)
	var got []sandbox.SealedMessage
	after := int64(0)
	for range all {
		page := messages(t, s, sandbox.MessageQuery{OldestFirst: true, After: after, Limit: 2})
		if len(page) == 0 {
			break
		}
		if !slices.IsSortedFunc(page, func(a, b sandbox.SealedMessage) int { return int(a.Seq - b.Seq) }) || page[0].Seq <= after {
			t.Errorf("a page after %d does not rise: %d to %d", after, page[0].Seq, page[len(page)-1].Seq)
		}
		after = page[len(page)-1].Seq
		got = append(got, page...)
	}
	if diff := cmp.Diff(all, got, bare()); diff != "" {
		t.Errorf("all pages (-want +got):\n%s", diff)
	}
}

func sandboxDay(t *testing.T, s SandboxStore, wall *Wall) {
	old, young := sandboxMessage(acme, "o1"), sandboxMessage(acme, "o2")
	putMessages(t, s, old)
	wall.Add(time.Microsecond)
	putMessages(t, s, young)
	wall.Add(sandbox.Keep - 2*time.Microsecond)
	if n, err := s.ForgetMessages(t.Context()); n != 0 || err != nil {
		t.Errorf("ForgetMessages just before the day is over = %d, %v; want 0", n, err)
	}
	if got := messages(t, s, sandbox.MessageQuery{Account: acme}); len(got) != 2 {
		t.Errorf("%d messages just before the day is over, want 2", len(got))
	}
	wall.Add(time.Microsecond)
	if diff := cmp.Diff([]sandbox.SealedMessage{young}, messages(t, s, sandbox.MessageQuery{Account: acme}), bare()); diff != "" {
		t.Errorf("messages after a day (-want +got):\n%s", diff)
	}
	if n, err := s.ForgetMessages(t.Context()); n != 1 || err != nil {
		t.Errorf("ForgetMessages = %d, %v; want 1", n, err)
	}
}

func sandboxNewest(t *testing.T, s SandboxStore, _ *Wall) {
	const more, callers = 200, 12 // fewer callers than a store has connections: none is refused for others
	foreign := sandboxMessage(other, "o1")
	putMessages(t, s, foreign)
	var group sync.WaitGroup
	for i := range callers {
		group.Go(func() {
			for j := range (sandbox.KeepNewest + more) / callers {
				m := sandboxMessage(acme, fmt.Sprintf("%d-%d", i, j))
				m.RecipientKey[0] = byte(i) // one recipient's are put one after the other
				if err := s.PutMessage(t.Context(), m); err != nil {
					t.Errorf("PutMessage: %v", err)
				}
			}
		})
	}
	group.Wait()
	last := sandboxMessage(acme, "last")
	putMessages(t, s, last)
	if _, err := s.ForgetMessages(t.Context()); err != nil {
		t.Fatalf("ForgetMessages: %v", err)
	}
	got := messages(t, s, sandbox.MessageQuery{Account: acme, Limit: 2 * sandbox.KeepNewest})
	if len(got) != sandbox.KeepNewest || got[0].OTPID != "last" {
		t.Errorf("%d messages from %q on, want %d from the last on", len(got), got[0].OTPID, sandbox.KeepNewest)
	}
	if got := messages(t, s, sandbox.MessageQuery{Account: other}); len(got) != 1 {
		t.Errorf("%d messages of the other account, want 1", len(got))
	}
}

func sandboxErased(t *testing.T, s SandboxStore, _ *Wall) {
	mine, again, another, foreign := sandboxMessage(acme, "o1"), sandboxMessage(acme, "o2"), sandboxMessage(acme, "o2"), sandboxMessage(other, "o3")
	another.RecipientKey = [16]byte{9}
	putMessages(t, s, mine, again, another, foreign)
	for want := 2; want >= 0; want -= 2 {
		if n, err := s.EraseMessages(t.Context(), acme, mine.RecipientKey); n != want || err != nil {
			t.Errorf("EraseMessages = %d, %v; want %d", n, err, want)
		}
	}
	left, err := s.Messages(t.Context(), sandbox.MessageQuery{OldestFirst: true, Limit: 9})
	if err != nil || len(left) != 2 || left[0].ID != another.ID || left[1].ID != foreign.ID {
		t.Errorf("left are %d messages, %v; want another recipient's and another account's", len(left), err)
	}
}

func sandboxOfNobody(t *testing.T, s SandboxStore, _ *Wall) {
	if n, err := s.EraseMessages(t.Context(), "nobody", [16]byte{1, 2, 3}); n != 0 || err != nil {
		t.Errorf("EraseMessages of nobody = %d, %v; want 0", n, err)
	}
	if err := s.PutMessage(t.Context(), sandboxMessage("nobody", "o1")); err == nil {
		t.Error("PutMessage for an account that does not exist succeeded")
	}
	if got := messages(t, s, sandbox.MessageQuery{Account: "nobody"}); len(got) != 0 {
		t.Errorf("%d messages, want 0", len(got))
	}
	if got, err := s.SandboxTemplates(t.Context(), "nobody", "w1"); len(got) != 0 || err != nil {
		t.Errorf("SandboxTemplates = %d templates, %v; want 0", len(got), err)
	}
}
