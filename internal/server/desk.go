package server

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/countersign/countersign/internal/api/tyntecv1"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/console/desk"
	"github.com/countersign/countersign/internal/console/ledger"
	"github.com/countersign/countersign/internal/console/page"
	"github.com/countersign/countersign/internal/console/trail"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/upkeep"
)

// workings are what the desk shows and uses of a running server.
type workings struct {
	v1       tyntecv1.Config
	pusher   *callback.Pusher
	circuits func() []delivery.CircuitState
	node     upkeep.Node
}

// audited is v4 with services of its own, so that every change that the
// console's pages make, and nothing else, is written down (P-07).
func (d *Deployment) audited(v4 tyntecv4.Config) tyntecv4.Config {
	log := d.Audit()
	v4.Catalog = v4.Catalog.Over(ledger.NewCatalog(d.Store, log))
	v4.WhatsApp = ledger.NewWhatsApp(v4.WhatsApp, log)
	return v4
}

// deskGroups are the pages of the operator's desk and the audit list.
func (d *Deployment) deskGroups(carriers *fleet.Fleet, v4 tyntecv4.Config, w workings) []page.Group {
	log := d.Audit()
	w.v1.Catalog = v4.Catalog
	c := desk.Config{
		V4: newInside(d.Store, v4), V1: newInsideV1(d.Store, w.v1), Catalog: v4.Catalog, Letters: d.Store, Test: d.tester(w.pusher),
		Accounts: d.Store, Settings: AccountSettings(), Reserved: reserved, Keys: d.Keys, Audit: log, Random: rand.Reader,
		Text: tyntecv4.Text, AppText: tyntecv1.Text, MaxCode: tyntecv4.MaxCodeLength,
		Defaults: desk.Defaults{Attempts: v4.Limits.Attempts, CodeLength: v4.Limits.CodeLength, Minutes: v4.Limits.Minutes},
		Carriers: func() []desk.Carrier { return d.carrierStates(carriers, w.circuits()) }, Queues: d.Store.Queues,
		Nodes: func(ctx context.Context) ([]desk.Node, error) { return d.nodes(ctx, w.node.Name) },
		Mode:  string(d.Config.Mode), Notices: looser(d.Config),
	}
	return []page.Group{desk.New(c), trail.New(d.Store, log)}
}

// tester posts test events with pusher, but none while the database is
// quarantined (D-10): it is a copy of one whose receivers know nothing of it.
func (d *Deployment) tester(pusher *callback.Pusher) func(context.Context, callback.Post) (callback.Outcome, error) {
	return func(ctx context.Context, to callback.Post) (callback.Outcome, error) {
		err := guarded{d.Store}.released(ctx)
		switch {
		case errors.Is(err, errQuarantined):
			return callback.Outcome{}, desk.ErrQuarantined
		case err != nil:
			return callback.Outcome{}, err
		}
		return pusher.Test(ctx, to), nil
	}
}

// newInsideV1 is newInside for the version 1 API.
func newInsideV1(accounts accountReader, c tyntecv1.Config) *inside {
	c.Accounts, c.Admit = byName{accounts}, nil
	return &inside{tyntecv1.New(c)}
}

// carrierStates joins what carriers tell of themselves with what the dispatcher
// learned of them.
func (d *Deployment) carrierStates(carriers *fleet.Fleet, circuits []delivery.CircuitState) []desk.Carrier {
	var all []desk.Carrier
	for _, s := range carriers.States() {
		c := desk.Carrier{Name: s.Name, Type: s.Type, Channels: s.Channels, Busy: s.Busy}
		for _, l := range s.Links {
			c.Links = append(c.Links, desk.Link{Name: l.Name, Up: l.Up, LastError: l.LastErr})
		}
		all = append(all, c)
	}
	if carriers.Serves() {
		all = append(all, desk.Carrier{Name: "sandbox", Type: "sandbox", Channels: message.Channels()})
	}
	for i := range all {
		c := &all[i]
		c.Circuit = "closed"
		at := slices.IndexFunc(circuits, func(s delivery.CircuitState) bool { return s.Carrier == c.Name })
		if at < 0 {
			continue
		}
		s := circuits[at]
		switch {
		case s.Operator:
			c.Circuit = "operator"
		case s.Open:
			c.Circuit = "open"
		}
		c.Since, c.Probe, c.LastAt = s.Since, s.Probe, s.LastAt
		c.Busy = max(c.Busy, s.Busy)
		if !s.LastAt.IsZero() {
			c.LastError = s.Why.Code
			if s.Why.Text != "" {
				c.LastError += ": " + s.Why.Text
			}
		}
	}
	return all
}

// nodes lists the servers on this database.
func (d *Deployment) nodes(ctx context.Context, this string) ([]desk.Node, error) {
	all, err := d.Store.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", err)
	}
	out := make([]desk.Node, 0, len(all))
	for _, n := range all {
		out = append(out, desk.Node{Name: n.Name, Version: n.Version, Started: n.Started, Seen: n.Seen, This: n.Name == this})
	}
	return out, nil
}

// signs gives signs of this node while the server works.
func (d *Deployment) signs(ctx context.Context, n upkeep.Node) error {
	upkeep.Sign(ctx, d.Store, n, d.Log)
	return nil
}

// nodeOf is this server among those on the database.
func (s *Server) nodeOf(name string, now time.Time) upkeep.Node {
	return upkeep.Node{Name: name, Version: s.Version, Started: now}
}
