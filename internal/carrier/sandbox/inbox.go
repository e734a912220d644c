package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"
	"unique"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

// forgetEvery is how often old messages are removed.
const forgetEvery = time.Minute

// errMessage is returned for a stored message that says something impossible.
var errMessage = errors.New("not a message")

// Keys seal messages and hash recipients; the keyring does.
type Keys interface {
	Index(parts ...string) [16]byte
	Seal(plain []byte, context ...string) []byte
	Open(sealed []byte, context ...string) ([]byte, error)
}

// Text is what a person would have read or heard, the code in it. However it
// is printed it stays hidden (P-01); Reveal returns it. The zero Text is empty.
type Text struct{ text unique.Handle[string] }

const redacted = "[text]"

// NewText wraps text.
func NewText(text string) Text { return Text{unique.Make(text)} }

// Reveal returns the text. Each call is a place where a code leaves its
// protection.
func (t Text) Reveal() string {
	if t == (Text{}) {
		return ""
	}
	return t.text.Value()
}

// String hides the text.
func (t Text) String() string { return redacted }

// GoString hides the text.
func (t Text) GoString() string { return redacted }

// LogValue hides the text.
func (t Text) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the text.
func (t Text) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// Message is a message in the inbox.
type Message struct {
	Seq     int64 // internal order, rising; not for outside
	Account string
	ID      string // random UUID
	OTPID   string
	Key     [16]byte // stands for the recipient where the recipient must not show, such as in a URL
	Channel message.Channel
	To      phone.Recipient
	From    string // the sender, "" if the carrier was to choose
	Text    Text
	Created time.Time
}

// Query selects messages.
type Query struct {
	Account     string          // "" for every account: for the operator only
	To          phone.Recipient // zero for every recipient
	Key         [16]byte        // Message.Key of a recipient, instead of To; zero for none
	OTPID       string          // "" for every OTP
	ID          string          // "" for every message
	After       int64           // only messages with a higher Seq
	OldestFirst bool            // else newest first
	Limit       int             // at least 1
}

// Inbox keeps what the sandbox carrier accepted. It is safe for concurrent use.
type Inbox struct {
	store   MessageStore
	keys    Keys
	log     *slog.Logger
	watched watchers
}

// NewInbox returns an inbox in store, sealed with keys.
func NewInbox(store MessageStore, keys Keys, log *slog.Logger) *Inbox {
	return &Inbox{store: store, keys: keys, log: log}
}

// body is what is sealed of a message.
type body struct {
	Channel message.Channel `json:"c"`
	To      string          `json:"t"`
	From    string          `json:"f,omitempty"`
	Text    string          `json:"x"`
}

func sealContext(account, id string) []string { return []string{"sandbox message", account, id} }

// recipientKey is the same for every account, so that the operator can look for
// a recipient over all of them.
func (b *Inbox) recipientKey(to phone.Recipient) [16]byte {
	return recipientKey(b.keys, to)
}

func recipientKey(keys Keys, to phone.Recipient) [16]byte {
	return keys.Index("sandbox recipient", to.Key())
}

// KeyOf returns the Key of messages to a recipient.
func (b *Inbox) KeyOf(to phone.Recipient) [16]byte { return b.recipientKey(to) }

// Put keeps a message, once for each of its dedupe references. It returns when
// the message is durable.
func (b *Inbox) Put(ctx context.Context, m delivery.Message) error {
	plain, err := json.Marshal(body{Channel: m.Step.Channel, To: m.Recipient.Reveal(), From: m.Step.Sender, Text: m.Text()})
	if err != nil {
		return fmt.Errorf("encode sandbox message: %w", err)
	}
	err = b.store.PutMessage(ctx, SealedMessage{
		Account: m.Account, ID: m.Dedupe, OTPID: m.OTPID, RecipientKey: b.recipientKey(m.Recipient),
		Body: b.keys.Seal(plain, sealContext(m.Account, m.Dedupe)...),
	})
	if err != nil {
		return fmt.Errorf("keep sandbox message: %w", err)
	}
	b.watched.tell(m.Account)
	return nil
}

// Batch is what Read found.
type Batch struct {
	// Messages are in clear. One that cannot be opened, as its root key is no
	// longer listed, is left out.
	Messages []Message
	// Last is the highest Seq that was read, of those left out too; the query's
	// After if there was none. Whoever reads on, oldest first, begins after it.
	Last int64
	// More reports whether there may be more than the query's Limit let be read.
	More bool
}

// List returns the messages of Read.
func (b *Inbox) List(ctx context.Context, q Query) ([]Message, error) {
	batch, err := b.Read(ctx, q)
	return batch.Messages, err
}

// Read returns messages, and how far it read.
func (b *Inbox) Read(ctx context.Context, q Query) (Batch, error) {
	sq := MessageQuery{Account: q.Account, OTPID: q.OTPID, ID: q.ID, RecipientKey: q.Key, After: q.After, OldestFirst: q.OldestFirst, Limit: q.Limit}
	if !q.To.IsZero() {
		sq.RecipientKey = b.recipientKey(q.To)
	}
	sealed, err := b.store.Messages(ctx, sq)
	if err != nil {
		return Batch{}, fmt.Errorf("list sandbox messages: %w", err)
	}
	batch := Batch{Messages: make([]Message, 0, len(sealed)), Last: q.After, More: len(sealed) == q.Limit}
	for _, s := range sealed {
		batch.Last = max(batch.Last, s.Seq)
		m, err := b.open(s)
		if err != nil {
			b.log.WarnContext(ctx, "sandbox message left out", slog.String("id", s.ID), slog.Any("err", err))
			continue
		}
		batch.Messages = append(batch.Messages, m)
	}
	return batch, nil
}

func (b *Inbox) open(s SealedMessage) (Message, error) {
	plain, err := b.keys.Open(s.Body, sealContext(s.Account, s.ID)...)
	if err != nil {
		return Message{}, fmt.Errorf("open sandbox message: %w", err)
	}
	var c body
	if err := json.Unmarshal(plain, &c); err != nil {
		return Message{}, errMessage // the cause may quote the text
	}
	to, err := phone.ParseRecipient(c.To)
	if err != nil {
		return Message{}, errMessage
	}
	return Message{
		Seq: s.Seq, Account: s.Account, ID: s.ID, OTPID: s.OTPID, Key: s.RecipientKey, Channel: c.Channel, To: to, From: c.From,
		Text: NewText(c.Text), Created: s.Created,
	}, nil
}

// Erase removes every message that a recipient got from the account and returns
// how many (P-05).
func (b *Inbox) Erase(ctx context.Context, account string, to phone.Recipient) (int, error) {
	n, err := b.store.EraseMessages(ctx, account, b.recipientKey(to))
	if err != nil {
		return n, fmt.Errorf("erase sandbox messages: %w", err)
	}
	return n, nil
}

// Run removes old messages from time to time until ctx ends; then it ends what
// watches the inbox.
func (b *Inbox) Run(ctx context.Context) error {
	defer b.watched.end()
	ticker := time.NewTicker(forgetEvery)
	defer ticker.Stop()
	for {
		if _, err := b.store.ForgetMessages(ctx); err != nil && ctx.Err() == nil {
			b.log.WarnContext(ctx, "old sandbox messages not removed", slog.Any("err", err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}
