package sandbox

import (
	"context"
	"time"

	"github.com/countersign/countersign/internal/catalog"
)

const (
	// Keep is how long a message stays in the inbox.
	Keep = 24 * time.Hour
	// KeepNewest is how many messages of an account stay.
	KeepNewest = 10_000
	// Grace is how long a deleted WhatsApp template stays listed and its name
	// taken.
	Grace = 30 * 24 * time.Hour
)

// SealedMessage is a message as stores keep it.
type SealedMessage struct {
	Seq          int64 // rises with every message of any account; the store sets it
	Account      string
	ID           string // random UUID: the delivery's dedupe reference
	OTPID        string
	RecipientKey [16]byte  // keyed hash of the recipient
	Body         []byte    // sealed
	Created      time.Time // the store sets it
}

// MessageQuery selects messages that are kept: not older than Keep and, within
// some dozens, the newest KeepNewest of their account.
type MessageQuery struct {
	Account      string   // "" for every account
	OTPID        string   // "" for every OTP
	ID           string   // "" for every message
	RecipientKey [16]byte // zero for every recipient
	After        int64    // only messages with a higher Seq
	OldestFirst  bool     // else newest first
	Limit        int      // at least 1
}

// MessageStore is what the inbox needs of a database. The store's clock tells
// the time.
type MessageStore interface {
	// PutMessage keeps a message, and forgets those of the account that are no
	// longer kept from time to time. It does nothing if the account has a
	// message of this OTP and id already.
	PutMessage(ctx context.Context, m SealedMessage) error
	// Messages returns the messages that q selects; an account that does not
	// exist has none.
	Messages(ctx context.Context, q MessageQuery) ([]SealedMessage, error)
	// ForgetMessages removes every message that is no longer kept and returns
	// how many.
	ForgetMessages(ctx context.Context) (int, error)
	// EraseMessages removes every message that the recipient got from the
	// account and returns how many; an account that does not exist has none.
	EraseMessages(ctx context.Context, account string, recipientKey [16]byte) (int, error)
}

// StoredTemplate is a WhatsApp template as it was handed in: Status, Body,
// Footer, ButtonURL and Updated are not set.
type StoredTemplate struct {
	catalog.WhatsAppTemplate
	Deleted time.Time // zero: not
}

// TemplateStore is what the double of WhatsApp needs of a database. The
// store's clock tells the time. A template belongs to an account and a WhatsApp
// account id; those that were deleted Grace ago or longer are gone.
type TemplateStore interface {
	// SandboxTemplates returns the templates, oldest first; an account that
	// does not exist has none.
	SandboxTemplates(ctx context.Context, account, accountRef string) ([]StoredTemplate, error)
	// PutSandboxTemplate adds t, created now. It returns catalog.ErrNameTaken if
	// the name, letter case ignored, exists in the language, or in any language
	// while it is being deleted.
	PutSandboxTemplate(ctx context.Context, account, accountRef string, t catalog.WhatsAppTemplate) error
	// DeleteSandboxTemplate marks all languages of exactly this name as deleted
	// now, except those that are already; catalog.ErrNotFound if there is none.
	DeleteSandboxTemplate(ctx context.Context, account, accountRef, name string) error
}
