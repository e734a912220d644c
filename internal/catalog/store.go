package catalog

import (
	"context"
	"errors"

	"github.com/countersign/countersign/internal/message"
)

// Sentinels that stores return.
var (
	// ErrNotFound: the account has no such entry.
	ErrNotFound = errors.New("not found")
	// ErrNameTaken: another entry of the account has the name.
	ErrNameTaken = errors.New("name taken")
	// ErrAliasTaken: another application of the account has the alias.
	ErrAliasTaken = errors.New("alias taken")
	// ErrNoTemplate: a template that a profile's new links name does not exist.
	ErrNoTemplate = errors.New("no such template")
	// ErrExists: the account has the one entry of this kind already.
	ErrExists = errors.New("exists already")
)

// Store is what the catalog needs of a database. Every method is one
// transaction, durable when it returns without an error. Lists are oldest
// first and never nil-versus-empty significant. Create returns ErrNameTaken
// where names are unique, as Update does for another entry's name. Update's
// apply gets the entry as stored and returns it as wanted, its id and what is
// fixed in it ignored; it may run more than once, must not block, and an error
// of its own is returned as it is with nothing changed. Deleting what the
// account does not have is no error unless the method says so. Every change
// raises the account's catalog version in the same transaction. An account
// that does not exist is ErrNotFound.
type Store interface {
	// CatalogVersion is a number that every change of the account's catalog or
	// settings raises. It is cheap: asked at every Send.
	CatalogVersion(ctx context.Context, account string) (int64, error)

	// FindSources reads what a send by these names needs, as it was at one
	// moment.
	FindSources(ctx context.Context, account, profileName, priorityName string) (Sources, error)

	Templates(ctx context.Context, account string) ([]Template, error)
	Template(ctx context.Context, account, id string) (Template, error)
	// TemplatesNamed are those of a channel with exactly this name.
	TemplatesNamed(ctx context.Context, account string, channel message.Channel, name string) ([]Template, error)
	CreateTemplate(ctx context.Context, account string, t Template) error
	// UpdateTemplate changes name, message and minutes; links of its channel
	// and language follow a new name.
	UpdateTemplate(ctx context.Context, account, id string, apply func(Template) (Template, error)) error
	// DeleteTemplate deletes it if it is of that channel. Links stay.
	DeleteTemplate(ctx context.Context, account, id string, channel message.Channel) error

	Profiles(ctx context.Context, account string) ([]Profile, error)
	Profile(ctx context.Context, account, id string) (Profile, error)
	// CreateProfile and UpdateProfile return ErrNoTemplate as ErrNameTaken.
	CreateProfile(ctx context.Context, account string, p Profile) error
	UpdateProfile(ctx context.Context, account, id string, apply func(Profile) (Profile, error)) error
	DeleteProfile(ctx context.Context, account, id string) error

	Priorities(ctx context.Context, account string) ([]Priority, error)
	Priority(ctx context.Context, account, id string) (Priority, error)
	CreatePriority(ctx context.Context, account string, p Priority) error
	UpdatePriority(ctx context.Context, account, id string, apply func(Priority) (Priority, error)) error
	DeletePriority(ctx context.Context, account, id string) error

	Callbacks(ctx context.Context, account string) ([]SealedCallback, error)
	// CallbackByID finds a configuration of any account, for operators, and
	// whose it is.
	CallbackByID(ctx context.Context, id string) (account string, c SealedCallback, err error)
	CreateCallback(ctx context.Context, account string, c SealedCallback) error
	UpdateCallback(ctx context.Context, account, id string, apply func(SealedCallback) (SealedCallback, error)) error
	// DeleteCallback also discards what is queued for it.
	DeleteCallback(ctx context.Context, account, id string) error

	// WhatsAppAccount returns the WhatsApp account id, ErrNotFound if none is set.
	WhatsAppAccount(ctx context.Context, account string) (string, error)
	// SetWhatsAppAccount sets it once; ErrExists afterwards.
	SetWhatsAppAccount(ctx context.Context, account, whatsAppAccountID string) error

	// Applications lists the default one first.
	Applications(ctx context.Context, account string) ([]Application, error)
	Application(ctx context.Context, account, id string) (Application, error)
	// EnsureDefaultApplication returns the account's default application and
	// creates it from a if there is none.
	EnsureDefaultApplication(ctx context.Context, account string, a Application) (Application, error)
	// CreateApplication adds one that is not the default; ErrAliasTaken as
	// ErrNameTaken.
	CreateApplication(ctx context.Context, account string, a Application) error
	UpdateApplication(ctx context.Context, account, id string, apply func(Application) (Application, error)) error
	// DeleteApplication removes it and returns it as it was; ErrNotFound if
	// there is none.
	DeleteApplication(ctx context.Context, account, id string) (Application, error)
}

// SealedCallback is a Callback as stores keep it: header values and signing
// secrets sealed.
type SealedCallback struct {
	ID        string
	URL       string
	ProfileID string
	Headers   []byte // sealed JSON, [{"Name":"…","Value":"…"}]; nil for none
	Secret    []byte // sealed signing secret
	Previous  []byte // sealed secret before the last rotation, nil for none
	// PreviousUntil is when Previous stops signing, in Unix microseconds.
	PreviousUntil int64
}
