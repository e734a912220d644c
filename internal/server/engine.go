package server

import (
	"context"
	"crypto/rand"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/metrics"
	"github.com/countersign/countersign/internal/verify"
)

// engine is what sends messages and tells what became of them, whichever facade
// asked for that.
type engine struct {
	guard      *callback.Guard
	pusher     *callback.Pusher
	entries    *catalog.Service // one for all facades: each has a cache of its own
	box        *Box
	carriers   *fleet.Fleet
	dispatcher *delivery.Dispatcher
}

// engine makes it, and tells the store what sending asks of it.
func (s *Server) engine(d *Deployment, m *metrics.Metrics, n node) (*engine, error) {
	e := &engine{entries: d.Catalog(), guard: callback.NewGuard(callback.GuardConfig{
		AllowNets: s.Config.CallbackAllow, AllowPrivate: s.Config.CallbackAllowPrivate, RequireHTTPS: s.Config.CallbackRequireHTTPS,
	})}
	e.pusher = callback.New(callback.Config{
		Store: d.Store, Keys: d.Keys, Guard: e.guard, Version: s.Version, ErrorPrefix: s.Config.EventErrorPrefix,
		Random: rand.Reader, Now: d.Store.Now, Node: n.name, Log: s.Log, Observer: m.Callbacks(),
	})
	// Carriers and the dispatcher know each other: what the carriers call is made
	// after them.
	receive := func(ctx context.Context, r delivery.Receipt) (bool, error) { return e.dispatcher.Receive(ctx, r) }
	e.box = d.box(receive)
	deps := d.fleetDeps(e.box, receive, s.Version)
	deps.Observer = m.Carriers(func() []delivery.CircuitState { return e.dispatcher.Circuits() })
	deps.WhatsAppChanged = e.entries.WhatsAppChanged
	deps.Renewed = func(carrier string) { e.dispatcher.Renewed(carrier) }
	deps.Carriers = func(n int) { e.dispatcher.SetRoutes(n) }
	var err error
	if e.carriers, err = fleet.New(d.fleetSettings(s.Config), deps); err != nil {
		return nil, err //nolint:wrapcheck // it names file and line
	}
	e.dispatcher = delivery.NewDispatcher(delivery.DispatcherConfig{
		Store: m.DeliveryStore(d.Store), Router: e.carriers.Router(), Open: d.openCode, Node: n.name, Log: s.Log, Resume: n.sole(),
		Now: d.Store.Now, Wall: deps.Now, Observer: m.Deliveries(), OnEvents: e.pusher.Wake, Carriers: e.carriers.Size(),
	})
	d.Store.LimitSteps(d.Rules())
	d.Store.HideQuotes(verify.Quotes(d.Keys))
	m.Watch(d.Store.Queues, s.Log)
	return e, nil
}
