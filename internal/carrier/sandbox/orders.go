package sandbox

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/phone"
)

// Order is what somebody wants to happen to the next messages of an account to
// a recipient, on every channel. It holds for Keep or until it is replaced, and
// goes before what the recipient's last digits choose.
type Order uint8

// The orders. Their numbers are stored.
const (
	NoOrder      Order = iota
	ArriveLate         // in the inbox, and reported delivered, after LateBy
	ReportFailed       // accepted, then reported undeliverable at once
	ReportNothing
	RefuseSubmit // refused at submit; not in the inbox
)

// LateBy is how late ArriveLate is.
const LateBy = 10 * time.Second

// MostOrders bounds how many orders are looked at, the newest of all accounts.
const MostOrders = 10_000

// ordersAge is how long orders are trusted before they are read anew: another
// node may have taken one.
const ordersAge = 250 * time.Millisecond

// StoredOrder is an order as stores keep it.
type StoredOrder struct {
	Account      string
	RecipientKey [16]byte
	Does         Order
	Created      time.Time
}

// OrderStore is what orders need of a database. The store's clock tells the
// time.
type OrderStore interface {
	// PutOrder replaces the account's order for a recipient; NoOrder removes it.
	PutOrder(ctx context.Context, account string, recipientKey [16]byte, does Order) error
	// Orders returns orders not older than Keep, the newest MostOrders.
	Orders(ctx context.Context) ([]StoredOrder, error)
}

// Orders keeps orders. It is safe for concurrent use.
type Orders struct {
	store OrderStore
	keys  Keys
	log   *slog.Logger

	mu      sync.Mutex // guards what follows
	known   map[orderKey]Order
	read    time.Time
	changes int // raised by every order of this process
}

type orderKey struct {
	account   string
	recipient [16]byte
}

// NewOrders returns the orders in store.
func NewOrders(store OrderStore, keys Keys, log *slog.Logger) *Orders {
	return &Orders{store: store, keys: keys, log: log}
}

// Put replaces the account's order for a recipient; NoOrder removes it. It holds
// on this node when Put returns, on others within ordersAge.
func (o *Orders) Put(ctx context.Context, account string, recipientKey [16]byte, does Order) error {
	if err := o.store.PutOrder(ctx, account, recipientKey, does); err != nil {
		return fmt.Errorf("put sandbox order: %w", err)
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changes++
	o.read = time.Time{}
	return nil
}

// Of returns the account's orders by recipient, for a page of phones.
func (o *Orders) Of(ctx context.Context, account string) (map[[16]byte]Order, error) {
	known, err := o.all(ctx)
	if err != nil {
		return nil, err
	}
	mine := map[[16]byte]Order{}
	for k, does := range known {
		if k.account == account {
			mine[k.recipient] = does
		}
	}
	return mine, nil
}

// next returns the order for a message. Where orders cannot be read there is
// none: the sandbox goes on.
func (o *Orders) next(ctx context.Context, account string, to phone.Recipient) Order {
	if o == nil {
		return NoOrder
	}
	known, err := o.all(ctx)
	if err != nil {
		o.log.WarnContext(ctx, "sandbox orders not read", slog.Any("err", err))
		return NoOrder
	}
	if len(known) == 0 {
		return NoOrder
	}
	return known[orderKey{account, recipientKey(o.keys, to)}]
}

// all returns every order. The map is shared: nobody changes it.
func (o *Orders) all(ctx context.Context) (map[orderKey]Order, error) {
	now := time.Now() //nolint:forbidigo // monotonic: only for the age of the copy
	o.mu.Lock()
	known, read, changes := o.known, o.read, o.changes
	o.mu.Unlock()
	if !read.IsZero() && now.Sub(read) < ordersAge {
		return known, nil
	}
	stored, err := o.store.Orders(ctx)
	if err != nil {
		return nil, fmt.Errorf("read sandbox orders: %w", err)
	}
	known = make(map[orderKey]Order, len(stored))
	for _, s := range stored {
		known[orderKey{s.Account, s.RecipientKey}] = s.Does
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.changes == changes { // else what was read may be older than the change
		o.known, o.read = known, now
	}
	return known, nil
}
