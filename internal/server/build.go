package server

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/countersign/countersign/api"
	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/health"
	"github.com/countersign/countersign/internal/api/octopush"
	"github.com/countersign/countersign/internal/api/openapi"
	"github.com/countersign/countersign/internal/api/tyntecv1"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/metrics"
)

// parts are what serve runs.
type parts struct {
	handler http.Handler // of the APIs
	metrics http.Handler
	health  *health.Health
	tls     *tls.Config // nil for plain HTTP
	runs    []func(context.Context) error
	lock    *os.File // nil if another server on this database holds it
}

func (p *parts) close() {
	if p.lock != nil {
		_ = p.lock.Close()
	}
}

// soleNode names the server that has the database to itself. It takes up at
// once what an earlier one left.
const soleNode = "sole"

// build makes the services and the facades on them.
func (s *Server) build(ctx context.Context, d *Deployment, m *metrics.Metrics) (*parts, error) {
	p := &parts{metrics: m.Handler(), health: health.New(d.Store, s.Log)}
	var err error
	if s.Config.TLS() {
		if p.tls, err = tlsConfig(s.Config); err != nil {
			return nil, err
		}
	}
	held, sole, err := lock(s.Config.DatabasePath + ".lock")
	if err != nil {
		return nil, err
	}
	p.lock = held
	node := soleNode
	if !sole {
		node = rand.Text()
		s.Log.WarnContext(ctx, "another server uses this database; working beside it")
	}

	callbackGuard := callback.NewGuard(callback.GuardConfig{
		AllowNets: s.Config.CallbackAllow, AllowPrivate: s.Config.CallbackAllowPrivate, RequireHTTPS: s.Config.CallbackRequireHTTPS,
	})
	pusher := s.newPusher(d, callbackGuard, node, m.Callbacks())
	var dispatcher *delivery.Dispatcher
	box := d.Sandbox(func(ctx context.Context, r delivery.Receipt) (bool, error) { return dispatcher.Receive(ctx, r) })
	dispatcher = delivery.NewDispatcher(delivery.DispatcherConfig{
		Store: m.DeliveryStore(d.Store), Router: box.Router(), Open: d.openCode, Node: node, Log: s.Log, Resume: sole,
		Now: d.Store.Now, Observer: m.Deliveries(), OnEvents: pusher.Wake, Carriers: 1,
	})
	d.Store.LimitSteps(d.Rules())
	m.Watch(func(ctx context.Context) (metrics.Queues, error) {
		q, err := d.Store.Queues(ctx)
		return metrics.Queues(q), err
	}, s.Log)
	p.runs = append(p.runs, dispatcher.Run, pusher.Run)
	p.runs = append(p.runs, box.runs()...)

	service := d.Verify(m.Store(d.Store, time.Now), box.Router(), dispatcher) //nolint:forbidigo // measures how long calls take
	keys := account.NewAuthenticator(d.Store, d.Store.Now)
	calls := account.NewThrottle(time.Now) //nolint:forbidigo // spaces calls of one key, decides nothing about OTPs
	entries := d.Catalog()                 // one for all facades: each has a cache of its own
	v4 := tyntecv4.New(tyntecv4.Config{
		Verify: service, Accounts: keys, Catalog: entries, WhatsApp: box.WhatsApp(), RefuseURL: callbackGuard.CheckURL,
		Admit: calls.Admit, Wait: d.Wait,
		Senders: tyntecv4.Senders(s.Config.Senders), Limits: tyntecv4.Limits(s.Config.V4),
		AllowQueryKey: s.Config.AllowQueryKey, Log: s.Log,
	})
	v1 := tyntecv1.New(tyntecv1.Config{
		Verify: service, Accounts: keys, Catalog: entries, Now: d.Store.Now, Admit: calls.Admit, Wait: d.Wait, Log: s.Log,
	})
	octo := octopush.New(octopush.Config{
		OTPs: service, Accounts: keys, Now: d.Store.Now, Random: rand.Reader,
		Admit: calls.Admit, Wait: d.Wait, Caller: s.Config.Senders.Voice, Log: s.Log,
	})
	mux := http.NewServeMux()
	p.health.Register(mux)
	err = openapi.Register(mux,
		openapi.Document{Name: "v4", Title: "Version 4, /2fa/v4", YAML: api.V4()},
		openapi.Document{Name: "v1", Title: "Version 1, /2fa/v1", YAML: api.V1()},
		openapi.Document{Name: "octopush", Title: "Octopush OTP, /v1/public/service/otp", YAML: api.Octopush()},
	)
	if err != nil {
		return nil, fmt.Errorf("register the OpenAPI pages: %w", err)
	}
	box.register(mux, keys, s.Log)
	routes := facades{owned: []owned{{"/2fa/v4", v4}, {"/2fa/v1", v1}, {"/v1/public/service/otp", octo}}, rest: mux}
	p.handler = m.Requests(recovered(routes, s.Log), time.Now) //nolint:forbidigo // measures how long requests take
	return p, nil
}
