package fleet

import (
	"context"
	"errors"
	"slices"

	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/message"
)

// The ways in which a check says nothing about a carrier.
var (
	ErrNoCarrier = errors.New("there is no such carrier")
	ErrNoCheck   = errors.New("carriers of this type have nothing to check")
)

// Check proves a carrier's credentials and that it can be reached; nothing goes
// to a phone.
func (f *Fleet) Check(ctx context.Context, name string) error {
	f.mu.Lock()
	members := slices.Clone(f.members)
	f.mu.Unlock()
	i := slices.IndexFunc(members, func(m *member) bool { return m.Name() == name })
	if i < 0 {
		return ErrNoCarrier
	}
	c, ok := members[i].carrier.(interface {
		Check(ctx context.Context) error
	})
	if !ok {
		return ErrNoCheck
	}
	return c.Check(ctx) //nolint:wrapcheck // it says what went wrong
}

// State is how a carrier does, for people.
type State struct {
	Name     string
	Type     string
	At       string // where it is configured
	Channels []message.Channel
	Receipts bool // whether it reports by HTTP
	Busy     int  // submits under way
	// Links are the connections that it keeps.
	Links []Link
}

// Link is a connection that a carrier keeps.
type Link struct {
	Name    string
	Up      bool
	LastErr string // why it is not up, or was not last
}

// States returns how every carrier does, in the configuration's order; the
// sandbox is not among them.
func (f *Fleet) States() []State {
	f.mu.Lock()
	members, settings := slices.Clone(f.members), f.settings
	f.mu.Unlock()
	out := make([]State, 0, len(members))
	for _, m := range members {
		s := State{Name: m.Name(), Type: m.Type, At: settings.at(m.Name()), Channels: m.Channels(), Receipts: m.receipts != nil, Links: m.links()}
		m.mu.Lock()
		s.Busy = m.inner
		m.mu.Unlock()
		out = append(out, s)
	}
	return out
}

// links returns how every connection that the carrier keeps does.
func (m *member) links() []Link {
	b, ok := m.carrier.(interface{ Binds() []smpp.BindState })
	if !ok {
		return nil
	}
	var out []Link
	for _, bind := range b.Binds() {
		out = append(out, Link{Name: linkName(bind), Up: bind.Bound, LastErr: bind.LastErr})
	}
	return out
}
