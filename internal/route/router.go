package route

import (
	"sync/atomic"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

// Router is a Table that can be replaced while it is used. It satisfies
// delivery.Router. The zero Router leads nowhere.
type Router struct{ table atomic.Pointer[Table] }

// Set replaces the table: what asks from now on gets the new one.
func (r *Router) Set(t *Table) { r.table.Store(t) }

// Table returns the present table; nil if none was set.
func (r *Router) Table() *Table { return r.table.Load() }

// Route returns the carriers to try, in order.
func (r *Router) Route(channel message.Channel, to phone.Recipient, spread string) []delivery.Carrier {
	t := r.table.Load()
	if t == nil {
		return nil
	}
	return t.Route(channel, to, spread)
}
