package sandbox_test

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var errDown = errors.New("down")

// memory keeps messages and templates in memory; now is its clock.
type memory struct {
	now func() time.Time

	mu        sync.Mutex // guards what follows
	down      bool
	messages  []sandbox.SealedMessage
	templates map[string][]sandbox.StoredTemplate
}

func newMemory(now func() time.Time) *memory {
	return &memory{now: now, templates: map[string][]sandbox.StoredTemplate{}}
}

func (m *memory) PutMessage(_ context.Context, n sandbox.SealedMessage) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return errDown
	}
	if slices.ContainsFunc(m.messages, func(o sandbox.SealedMessage) bool { return o.Account == n.Account && o.ID == n.ID }) {
		return nil
	}
	n.Seq, n.Created = int64(len(m.messages)+1), m.now()
	m.messages = append(m.messages, n)
	return nil
}

func (m *memory) Messages(_ context.Context, q sandbox.MessageQuery) ([]sandbox.SealedMessage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []sandbox.SealedMessage
	for _, n := range m.messages {
		if n.Seq > q.After && (q.Account == "" || n.Account == q.Account) && (q.OTPID == "" || n.OTPID == q.OTPID) &&
			(q.ID == "" || n.ID == q.ID) &&
			(q.RecipientKey == [16]byte{} || n.RecipientKey == q.RecipientKey) {
			found = append(found, n)
		}
	}
	if !q.OldestFirst {
		slices.Reverse(found)
	}
	return found[:min(len(found), q.Limit)], nil
}

func (m *memory) ForgetMessages(context.Context) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.messages)
	m.messages = slices.DeleteFunc(m.messages, func(n sandbox.SealedMessage) bool { return m.now().Sub(n.Created) >= sandbox.Keep })
	return before - len(m.messages), nil
}

func (m *memory) EraseMessages(_ context.Context, account string, key [16]byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.down {
		return 0, errDown
	}
	before := len(m.messages)
	m.messages = slices.DeleteFunc(m.messages, func(n sandbox.SealedMessage) bool { return n.Account == account && n.RecipientKey == key })
	return before - len(m.messages), nil
}

func (m *memory) SandboxTemplates(_ context.Context, account, ref string) ([]sandbox.StoredTemplate, error) {
	return m.templates[account+"/"+ref], nil
}

func (m *memory) PutSandboxTemplate(_ context.Context, account, ref string, t catalog.WhatsAppTemplate) error {
	t.Created = m.now()
	m.templates[account+"/"+ref] = append(m.templates[account+"/"+ref], sandbox.StoredTemplate{WhatsAppTemplate: t})
	return nil
}

func (m *memory) DeleteSandboxTemplate(_ context.Context, account, ref, name string) error {
	err := catalog.ErrNotFound
	for i := range m.templates[account+"/"+ref] {
		if t := &m.templates[account+"/"+ref][i]; t.Name == name {
			t.Deleted, err = m.now(), nil
		}
	}
	return err
}

func keyring(t testing.TB) *secret.Keyring {
	t.Helper()
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func silent() *slog.Logger { return slog.New(slog.DiscardHandler) }

func recipient(t testing.TB, s string) phone.Recipient {
	t.Helper()
	r, err := phone.ParseRecipient(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// to returns a message to somebody.
func to(t testing.TB, channel message.Channel, who string) delivery.Message {
	t.Helper()
	text := message.Parse("Your code is {c}.", []message.Placeholder{{Token: "{c}", Code: true}})
	return delivery.Message{
		Dedupe: "dedupe " + who + string(channel), Account: "acme", OTPID: "o1", Recipient: recipient(t, who),
		Step: delivery.Step{Channel: channel, Text: text, Sender: "ACME"}, Code: otp.NewCode("4839"), Try: 1,
	}
}

// number returns a number with an ending.
func number(ending string) string { return "+4915112345678"[:14-len(ending)] + ending }

// rig is a carrier with its inbox.
type rig struct {
	*sandbox.Carrier
	store *memory
	inbox *sandbox.Inbox

	mu       sync.Mutex // guards receipts
	receipts []delivery.Receipt
}

func newRig(t testing.TB, change ...func(*sandbox.Config)) *rig {
	t.Helper()
	r := &rig{store: newMemory(time.Now)}
	r.inbox = sandbox.NewInbox(r.store, keyring(t), silent())
	cfg := sandbox.Config{Inbox: r.inbox, Log: silent(), Receive: func(_ context.Context, got delivery.Receipt) (bool, error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.receipts = append(r.receipts, got)
		return true, nil
	}}
	for _, c := range change {
		c(&cfg)
	}
	r.Carrier = sandbox.New(cfg)
	t.Cleanup(r.Close)
	return r
}

func (r *rig) received() []delivery.Receipt {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.receipts)
}

// texts returns what is in acme's inbox, newest first.
func (r *rig) texts(t testing.TB) []string {
	t.Helper()
	list, err := r.inbox.List(t.Context(), sandbox.Query{Account: "acme", Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	var texts []string
	for _, m := range list {
		texts = append(texts, m.Text.Reveal())
	}
	return texts
}
