package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/countersign/countersign/api"
	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/api/health"
	"github.com/countersign/countersign/internal/api/octopush"
	"github.com/countersign/countersign/internal/api/openapi"
	"github.com/countersign/countersign/internal/api/tyntecv1"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/console"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/metrics"
	"github.com/countersign/countersign/internal/verify"
)

// parts are what serve runs.
type parts struct {
	handler http.Handler // of the APIs
	metrics http.Handler
	health  *health.Health
	tls     *tls.Config // nil for plain HTTP
	runs    []func(context.Context) error
	doors   *access.Service // into the console

	workings workings
}

// build makes the services and the facades on them.
func (s *Server) build(d *Deployment, m *metrics.Metrics, n node) (*parts, error) {
	p := &parts{metrics: m.Handler(), health: health.New(ready{d.Store}, s.Log)}
	callbackGuard := callback.NewGuard(callback.GuardConfig{
		AllowNets: s.Config.CallbackAllow, AllowPrivate: s.Config.CallbackAllowPrivate, RequireHTTPS: s.Config.CallbackRequireHTTPS,
	})
	pusher := s.newPusher(d, callbackGuard, n.name, m.Callbacks())
	var dispatcher *delivery.Dispatcher
	receive := func(ctx context.Context, r delivery.Receipt) (bool, error) { return dispatcher.Receive(ctx, r) }
	box := d.box(receive)
	entries := d.Catalog() // one for all facades: each has a cache of its own
	told := m.Carriers(func() []delivery.CircuitState { return dispatcher.Circuits() })
	deps := d.fleetDeps(box, receive, s.Version)
	deps.Observer, deps.WhatsAppChanged = told, entries.ForgetWhatsAppAccount
	deps.Renewed = func(carrier string) { dispatcher.Renewed(carrier) }
	deps.Carriers = func(n int) { dispatcher.SetCarriers(n) }
	carriers, err := fleet.New(d.fleetSettings(s.Config), deps)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names file and line
	}
	dispatcher = delivery.NewDispatcher(delivery.DispatcherConfig{
		Store: m.DeliveryStore(d.Store), Router: carriers.Router(), Open: d.openCode, Node: n.name, Log: s.Log, Resume: n.sole(),
		Now: d.Store.Now, Wall: deps.Now, Observer: m.Deliveries(), OnEvents: pusher.Wake, Carriers: carriers.Size(),
	})
	d.Store.LimitSteps(d.Rules())
	d.Store.HideQuotes(verify.Quotes(d.Keys))
	m.Watch(d.Store.Queues, s.Log)
	p.runs = append(
		p.runs, pusher.Run,
		func(ctx context.Context) error { return carriers.Serve(ctx, dispatcher.Run) },
		func(ctx context.Context) error { return s.reloads(ctx, d, carriers) },
	)
	p.runs = append(p.runs, box.runs()...)

	gate := admission.New(time.Now, m.Refused)                                                 //nolint:forbidigo // measures how long calls take
	service := d.Verify(m.Store(gate.Store(d.Store), time.Now), carriers.Router(), dispatcher) //nolint:forbidigo // as above
	keys := account.NewAuthenticator(d.Store, d.Store.Now)
	calls := account.NewThrottle(time.Now) //nolint:forbidigo // spaces calls of one key, decides nothing about OTPs
	v4Config := tyntecv4.Config{
		Verify: service, Accounts: keys, Catalog: entries, WhatsApp: newWhatsApp(carriers, box), RefuseURL: callbackGuard.CheckURL,
		Admit: calls.Admit, Room: gate.Room, Wait: d.Wait,
		Senders: tyntecv4.Senders(s.Config.Senders), Limits: s.Config.V4,
		AllowQueryKey: s.Config.AllowQueryKey, Log: s.Log,
	}
	v4 := tyntecv4.New(v4Config)
	v1Config := tyntecv1.Config{
		Verify: service, Accounts: keys, Catalog: entries, Now: d.Store.Now, Admit: calls.Admit, Room: gate.Room, Wait: d.Wait,
		Caller: s.Config.Senders.Voice, Log: s.Log,
	}
	v1 := tyntecv1.New(v1Config)
	octo := octopush.New(octopush.Config{
		OTPs: service, Accounts: keys, Now: d.Store.Now, Random: rand.Reader,
		Admit: calls.Admit, Room: gate.Room, Wait: d.Wait, Caller: s.Config.Senders.Voice, Log: s.Log,
	})
	mux := http.NewServeMux()
	p.health.Register(mux)
	err = openapi.Register(mux,
		openapi.Document{Name: "v4", Title: "Version 4, /2fa/v4", YAML: api.V4()},
		openapi.Document{Name: "v1", Title: "Version 1, /2fa/v1", YAML: api.V1()},
		openapi.Document{Name: "octopush", Title: "Octopush OTP, /v1/public/service/otp", YAML: api.Octopush()},
		openapi.Document{Name: "sandbox", Title: "Sandbox inbox, /sandbox", YAML: api.Sandbox()},
	)
	if err != nil {
		return nil, fmt.Errorf("register the OpenAPI pages: %w", err)
	}
	box.register(mux, carriers.Serves, keys, s.Log)
	mux.Handle(fleet.ReceiptPattern, carriers.Receipts())
	p.workings = workings{v1: v1Config, pusher: pusher, circuits: dispatcher.Circuits, node: s.nodeOf(n.name, d.Store.Now())}
	p.runs = append(p.runs, func(ctx context.Context) error { return d.signs(ctx, p.workings.node) })
	pages, err := d.console(p, box, carriers, v4Config)
	if err != nil {
		return nil, err
	}
	mux.Handle(console.Path, pages)
	mux.Handle(console.Path+"/", pages)
	routes := facades{owned: []owned{{"/2fa/v4", v4}, {"/2fa/v1", v1}, {"/v1/public/service/otp", octo}}, rest: mux}
	p.handler = m.Requests(recovered(routes, s.Log), time.Now) //nolint:forbidigo // measures how long requests take
	return p, nil
}
