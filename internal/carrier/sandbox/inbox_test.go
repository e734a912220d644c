package sandbox_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

func TestMessagesReadBackInClearAndAreStoredSealed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	sms := to(t, message.SMS, number("1111"))
	mail := to(t, message.Email, "jo@example.com")
	mail.Account, mail.OTPID, mail.Step.Sender = "other", "o2", ""
	for _, m := range []error{r.inbox.Put(t.Context(), sms), r.inbox.Put(t.Context(), mail)} {
		if m != nil {
			t.Fatal(m)
		}
	}
	for _, s := range r.store.messages {
		for _, secret := range []string{"4839", "5112345", "jo@example.com"} {
			if bytes.Contains(s.Body, []byte(secret)) {
				t.Errorf("the stored message holds %q in clear", secret)
			}
		}
	}
	first := sandbox.Message{
		Key: r.inbox.KeyOf(sms.Recipient), Seq: 1, Account: "acme", ID: sms.Dedupe, OTPID: "o1", Channel: message.SMS, To: sms.Recipient, From: "ACME", Text: sandbox.NewText("Your code is 4839."),
	}
	second := sandbox.Message{
		Key: r.inbox.KeyOf(mail.Recipient), Seq: 2, Account: "other", ID: mail.Dedupe, OTPID: "o2", Channel: message.Email, To: mail.Recipient, Text: sandbox.NewText("Your code is 4839."),
	}
	for _, c := range []struct {
		q    sandbox.Query
		want []sandbox.Message
	}{
		{sandbox.Query{Account: "acme", Limit: 9}, []sandbox.Message{first}},
		{sandbox.Query{Account: "acme", To: mail.Recipient, Limit: 9}, nil},
		{sandbox.Query{Account: "acme", OTPID: "o2", Limit: 9}, nil},
		{sandbox.Query{Account: "other", Key: second.Key, Limit: 9}, []sandbox.Message{second}},
		{sandbox.Query{Account: "acme", Key: second.Key, Limit: 9}, nil},
		{sandbox.Query{Account: "acme", ID: first.ID, Limit: 9}, []sandbox.Message{first}},
		{sandbox.Query{Account: "other", ID: first.ID, Limit: 9}, nil},
		{sandbox.Query{Account: "other", To: mail.Recipient, OTPID: "o2", Limit: 9}, []sandbox.Message{second}},
		{sandbox.Query{Limit: 9}, []sandbox.Message{second, first}},
		{sandbox.Query{OldestFirst: true, Limit: 1}, []sandbox.Message{first}},
		{sandbox.Query{OldestFirst: true, After: 1, Limit: 9}, []sandbox.Message{second}},
		{sandbox.Query{To: sms.Recipient, Limit: 9}, []sandbox.Message{first}},
	} {
		got, err := r.inbox.List(t.Context(), c.q)
		if err != nil {
			t.Errorf("List(%+v): %v", c.q, err)
		}
		opts := cmp.Options{
			cmpopts.IgnoreFields(sandbox.Message{}, "Created"), cmpopts.EquateEmpty(),
			cmp.Comparer(func(a, b sandbox.Text) bool { return a == b }), cmpopts.EquateComparable(sms.Recipient),
		}
		if diff := cmp.Diff(c.want, got, opts); diff != "" {
			t.Errorf("List(%+v) (-want +got):\n%s", c.q, diff)
		}
	}
}

func TestErasingARecipientRemovesWhatItGotFromTheAccountAlone(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first, again, foreign := to(t, message.SMS, number("1111")), to(t, message.Voice, number("1111")), to(t, message.SMS, number("1111"))
	foreign.Account = "other"
	for _, m := range []delivery.Message{first, again, to(t, message.SMS, number("2222")), foreign} {
		if err := r.inbox.Put(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := r.inbox.Erase(t.Context(), "acme", first.Recipient); n != 2 || err != nil {
		t.Errorf("Erase = %d, %v; want 2", n, err)
	}
	for _, c := range []struct {
		account string
		to      phone.Recipient
		want    int
	}{
		{"acme", first.Recipient, 0},
		{"acme", recipient(t, number("2222")), 1},
		{"other", first.Recipient, 1},
	} {
		got, err := r.inbox.List(t.Context(), sandbox.Query{Account: c.account, To: c.to, Limit: 9})
		if err != nil || len(got) != c.want {
			t.Errorf("%s has %d messages to %s, %v; want %d", c.account, len(got), c.to, err, c.want)
		}
	}
	r.store.down = true
	if _, err := r.inbox.Erase(t.Context(), "acme", first.Recipient); !errors.Is(err, errDown) {
		t.Errorf("Erase with the store down: %v; want %v", err, errDown)
	}
}

func TestAMessageOfAnotherAccountCannotBeOpenedAsOnesOwn(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.Submit(t.Context(), to(t, message.SMS, number("1111")))
	r.Submit(t.Context(), to(t, message.SMS, number("2222")))
	r.store.messages[0].Account = "other"
	got, err := r.inbox.List(t.Context(), sandbox.Query{Limit: 9})
	if err != nil || len(got) != 1 || got[0].To != recipient(t, number("2222")) {
		t.Errorf("List = %d messages, %v; want the untouched one", len(got), err)
	}
}

func TestReadingGoesOnPastWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for i := range 5 {
		r.Submit(t.Context(), to(t, message.SMS, number(strconv.Itoa(1111*(i+1)))))
	}
	for i := range 3 {
		r.store.messages[i].Account = "other" // where they were not sealed for
	}
	for _, c := range []struct {
		q    sandbox.Query
		seqs string
		last int64
		more bool
	}{
		{sandbox.Query{OldestFirst: true, Limit: 2}, "[]", 2, true},
		{sandbox.Query{OldestFirst: true, After: 2, Limit: 2}, "[4]", 4, true},
		{sandbox.Query{OldestFirst: true, After: 4, Limit: 2}, "[5]", 5, false},
		{sandbox.Query{OldestFirst: true, After: 5, Limit: 2}, "[]", 5, false},
		{sandbox.Query{Account: "other", Limit: 3}, "[]", 3, true},
		{sandbox.Query{Limit: 9}, "[5 4]", 5, false},
	} {
		got, err := r.inbox.Read(t.Context(), c.q)
		seqs := []int64{}
		for _, m := range got.Messages {
			seqs = append(seqs, m.Seq)
		}
		if err != nil || fmt.Sprint(seqs) != c.seqs || got.Last != c.last || got.More != c.more {
			t.Errorf("Read(%+v) = %v as far as %d, more %v, %v; want %s as far as %d, more %v", c.q, seqs, got.Last, got.More, err, c.seqs, c.last, c.more)
		}
	}
}

func TestATextStaysHidden(t *testing.T) {
	t.Parallel()
	m := sandbox.Message{To: recipient(t, number("1111")), Text: sandbox.NewText("Your code is 4839.")}
	var out bytes.Buffer
	slog.New(slog.NewJSONHandler(&out, nil)).Info("x", slog.Any("text", m.Text), slog.Any("message", m), slog.Any("list", []sandbox.Message{m}))
	slog.New(slog.NewTextHandler(&out, nil)).Info("x", slog.Any("message", m), slog.Any("struct", struct{ m sandbox.Message }{m}))
	fmt.Fprintf(&out, "%v %+v %#v %s %v", m, m, m, m.Text, []any{&m, struct{ t sandbox.Text }{m.Text}})
	if err := json.NewEncoder(&out).Encode([]any{m.To, m.Text}); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"4839", "5112345"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q is printed: %s", secret, out.String())
		}
	}
	if got := m.Text.Reveal(); got != "Your code is 4839." || (sandbox.Text{}).Reveal() != "" {
		t.Errorf("Reveal = %q", got)
	}
}

func TestOldMessagesAreForgotten(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.inbox.Run(ctx) }()
		r.Submit(t.Context(), to(t, message.SMS, number("1111")))
		time.Sleep(sandbox.Keep - time.Minute)
		if n := len(r.texts(t)); n != 1 {
			t.Errorf("%d messages within the day, want 1", n)
		}
		time.Sleep(2*time.Minute + time.Second)
		if n := len(r.texts(t)); n != 0 {
			t.Errorf("%d messages after the day, want 0", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
}
