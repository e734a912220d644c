package route

import (
	"fmt"
	"hash/fnv"
	"slices"

	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

// Table is a set of rules with their carriers. It never changes and is safe for
// concurrent use.
type Table struct {
	byChannel map[message.Channel][]condition
	countries phone.Countries
}

// compiled is a rule with the carriers that it names.
type compiled struct {
	Rule
	total int // of the weights; 0 for a fixed order
	// orders are the carriers to try, by which of the choices is the first.
	orders [][]delivery.Carrier
}

// NewTable returns a table of rules over carriers. A rule that names a carrier
// which is not among them is an error.
func NewTable(rules []Rule, carriers []delivery.Carrier) (*Table, error) {
	t := &Table{byChannel: map[message.Channel][]condition{}}
	for _, r := range rules {
		c := &compiled{Rule: r}
		named := make([]delivery.Carrier, 0, len(r.Choices))
		for _, choice := range r.Choices {
			i := slices.IndexFunc(carriers, func(c delivery.Carrier) bool { return c.Name() == choice.Carrier })
			if i < 0 {
				return nil, fmt.Errorf("%s: there is no carrier %q", r.Source, choice.Carrier)
			}
			named = append(named, carriers[i])
			c.total += choice.Weight
		}
		for i := range named {
			order := []delivery.Carrier{named[i]}
			order = append(append(order, named[:i]...), named[i+1:]...)
			c.orders = append(c.orders, order)
		}
		for _, channel := range r.Channels {
			t.byChannel[channel] = append(t.byChannel[channel], conditions(c)...)
		}
	}
	for _, all := range t.byChannel {
		precede(all)
	}
	return t, nil
}

// Channels returns the channels that some rule is for, in message's order.
func (t *Table) Channels() []message.Channel {
	return slices.DeleteFunc(message.Channels(), func(c message.Channel) bool { return len(t.byChannel[c]) == 0 })
}

// Route returns the carriers to try, in order; see delivery.Router.
func (t *Table) Route(channel message.Channel, to phone.Recipient, spread string) []delivery.Carrier {
	n := number{to: to, countries: &t.countries}
	for _, c := range t.byChannel[channel] {
		if n.fits(c) {
			return c.rule.order(spread)
		}
	}
	return nil
}

// order returns the carriers with the one first that spread chooses.
func (c *compiled) order(spread string) []delivery.Carrier {
	if len(c.orders) == 0 {
		return nil
	}
	if c.total == 0 {
		return c.orders[0]
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(spread))              // never fails
	at := int(mix(h.Sum64()) % uint64(c.total)) //nolint:gosec // both are small and not negative
	for i, choice := range c.Choices {
		if at -= choice.Weight; at < 0 {
			return c.orders[i]
		}
	}
	return c.orders[0] // not reached: at is less than the sum of the weights
}

// mix spreads what FNV leaves close together for texts that differ in their
// last characters only (the finalizer of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return h
}
