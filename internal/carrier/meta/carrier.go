package meta

import (
	"context"
	"fmt"
	"hash/maphash"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

// Deps are what a Carrier works with. Receive, Log and Now are needed.
type Deps struct {
	// Receive takes receipts; the dispatcher's does. It returns when the receipt
	// is durable.
	Receive func(ctx context.Context, r delivery.Receipt) (known bool, err error)
	Log     *slog.Logger
	Now     func() time.Time
	// HTTP says how to connect; the zero value works.
	HTTP httpsubmit.Options
	// Version of the server goes into the User-Agent, if it has three numbers, as
	// Meta's description of the API wants them.
	Version string
	// ReceiptURL is where WhatsApp reaches Receipts; "" if it cannot.
	ReceiptURL string
	// Notes keeps what WhatsApp does not know of templates. By default they last
	// as long as the Carrier.
	Notes catalog.WhatsAppNotes
	// Changed is told, by each reference of its account, that a template may have
	// another status; nil for nobody.
	Changed func(catalog.WhatsAppChange)
	// Noticed is told what happens that is worth counting; nil for nobody. Many
	// goroutines call it at once; it does not block.
	Noticed func(carrier string, n Notice)
}

// Notice is something that is worth counting.
type Notice string

// What is noticed. The texts are for labels of metrics.
const (
	ForgedReceipt   Notice = "forged_receipt"   // a webhook without the signature of an account's app
	ForeignReceipt  Notice = "foreign_receipt"  // news of an account or number that is not configured
	UnknownReceipt  Notice = "unknown_receipt"  // a receipt for no message of ours
	UnreadReceipt   Notice = "unread_receipt"   // a webhook that is no JSON of the Cloud API
	ReceiptRefused  Notice = "receipt_refused"  // not recorded; WhatsApp sends it again
	OperatorTrouble Notice = "operator_trouble" // a message failed later for what the operator must act on
	Inbound         Notice = "inbound"          // a message from a person; it is dropped
)

// maxReceipts is how many receipts are being recorded at a time, of all webhooks
// together. Others wait for a place, each webhook with one of its own at a time,
// so that a long one does not keep short ones out. More than those that may wait
// for their submits: news of messages that are not ours, or not from here, must
// not take all places for as long as that.
const maxReceipts = delivery.MaxLate + 500

// Carrier sends codes over WhatsApp. It satisfies delivery.Carrier, and
// catalog.WhatsApp for the accounts that it answers for.
type Carrier struct {
	cfg      settled
	deps     Deps
	client   *httpsubmit.Client
	agent    string // our User-Agent
	seed     maphash.Seed
	receipts chan struct{} // a place for each receipt that is being recorded
	// changing has, by WhatsApp account, a place for the change of its templates that
	// goes on.
	changing map[string]chan struct{}

	mu     sync.Mutex          // guards what follows
	absent memory[uint64]      // persons who are not on WhatsApp
	held   memory[string]      // phone number ids that WhatsApp wants to rest
	spoilt memory[templateKey] // templates that were taken out of use
}

// New returns a carrier over a configuration that Validate accepts; else it
// returns Validate's error.
func New(cfg Config, d Deps) (*Carrier, error) {
	s, err := cfg.settle()
	if err != nil {
		return nil, err
	}
	if d.Notes == nil {
		d.Notes = newBook()
	}
	if d.Changed == nil {
		d.Changed = func(catalog.WhatsAppChange) {}
	}
	if d.Noticed == nil {
		d.Noticed = func(string, Notice) {}
	}
	changing := make(map[string]chan struct{}, len(s.Accounts))
	for i := range s.Accounts {
		changing[s.Accounts[i].ID] = make(chan struct{}, 1)
	}
	return &Carrier{
		cfg: s, deps: d, client: httpsubmit.New(d.HTTP), agent: agentOf(d.Version),
		seed: maphash.MakeSeed(), receipts: make(chan struct{}, maxReceipts), changing: changing,
	}, nil
}

// Name returns the carrier's name.
func (c *Carrier) Name() string { return c.cfg.Name }

// Channels returns WhatsApp alone.
func (c *Carrier) Channels() []message.Channel { return []message.Channel{message.WhatsApp} }

// Dedupes reports false: the Cloud API recognises no repetition.
func (c *Carrier) Dedupes() bool { return false }

// Config returns what the carrier was made of, defaults filled in.
func (c *Carrier) Config() Config { return c.cfg.Config }

// Run waits until ctx ends. Then what is in flight ends without an answer and
// nothing more is sent.
func (c *Carrier) Run(ctx context.Context) error {
	return c.client.Run(ctx) //nolint:wrapcheck // it is nil
}

// Check asks for every account, and for each of its numbers, with the token
// that messages go with, and whether the app gets the account's webhooks if it
// can. It sends no message.
func (c *Carrier) Check(ctx context.Context) error {
	for i := range c.cfg.Accounts {
		a := &c.cfg.Accounts[i]
		if err := c.checkAccount(ctx, a); err != nil {
			return fmt.Errorf("account %s: %w", a.ID, err)
		}
		for _, number := range slices.Sorted(maps.Keys(a.Numbers)) {
			if err := c.checkNumber(ctx, a, number); err != nil {
				return fmt.Errorf("account %s, number %s: %w", a.ID, number, err)
			}
		}
	}
	return nil
}

func (c *Carrier) checkAccount(ctx context.Context, a *Account) error {
	if _, err := c.page(ctx, a, url.Values{"limit": {"1"}}); err != nil {
		return err
	}
	if c.deps.ReceiptURL == "" {
		return nil
	}
	var apps struct {
		Data []struct{} `json:"data"`
	}
	if err := c.ask(ctx, a, http.MethodGet, a.ID+"/subscribed_apps", nil, nil, &apps); err != nil {
		return err
	}
	if len(apps.Data) == 0 {
		return errNotSubscribed
	}
	return nil
}

func (c *Carrier) checkNumber(ctx context.Context, a *Account, number string) error {
	var got struct {
		Display string `json:"display_phone_number"`
	}
	err := c.ask(ctx, a, http.MethodGet, a.Numbers[number], url.Values{"fields": {"id,display_phone_number"}}, nil, &got)
	if err != nil {
		return err
	}
	if digits := onlyDigits(got.Display); digits != number {
		return fmt.Errorf("the phone number id %s is that of %q", a.Numbers[number], digits)
	}
	return nil
}

func onlyDigits(s string) string {
	return strings.Map(func(r rune) rune {
		if '0' <= r && r <= '9' {
			return r
		}
		return -1
	}, s)
}

// notice tells who counts.
func (c *Carrier) notice(n Notice) { c.deps.Noticed(c.cfg.Name, n) }

// logger returns the log with the carrier's name.
func (c *Carrier) logger() *slog.Logger { return c.deps.Log.With(slog.String("carrier", c.cfg.Name)) }
