package server

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"time"

	"github.com/countersign/countersign/api"
	"github.com/countersign/countersign/internal/api/health"
	"github.com/countersign/countersign/internal/api/openapi"
	"github.com/countersign/countersign/internal/console"
	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/metrics"
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
	e, err := s.engine(d, m, n)
	if err != nil {
		return nil, err
	}
	faces := s.apis(d, m, e)
	p := &parts{metrics: m.Handler(), health: health.New(ready{d.Store}, s.Log)}
	p.workings = workings{v1: faces.v1, pusher: e.pusher, circuits: e.dispatcher.Circuits, node: s.nodeOf(n.name, d.Store.Now())}
	p.runs = append(
		p.runs, e.pusher.Run, e.entries.Run,
		func(ctx context.Context) error { return e.carriers.Serve(ctx, e.dispatcher.Run) },
		func(ctx context.Context) error { return s.reloads(ctx, d, e.carriers) },
		func(ctx context.Context) error { return d.signs(ctx, p.workings.node) },
	)
	p.runs = append(p.runs, e.box.runs()...)

	mux := http.NewServeMux()
	p.health.Register(mux)
	if err := registerDocuments(mux); err != nil {
		return nil, err
	}
	e.box.register(mux, e.carriers.Serves, faces.accounts, s.Log)
	mux.Handle(fleet.ReceiptPattern, e.carriers.Receipts())
	pages, err := d.console(p, e.box, e.carriers, faces.v4)
	if err != nil {
		return nil, err
	}
	mux.Handle(console.Path, pages)
	mux.Handle(console.Path+"/", pages)
	routes := facades{owned: faces.owned, rest: mux}
	p.handler = m.Requests(recovered(routes, s.Log), time.Now) //nolint:forbidigo // measures how long requests take
	return p, nil
}

// registerDocuments serves what describes the APIs.
func registerDocuments(mux *http.ServeMux) error {
	err := openapi.Register(mux,
		openapi.Document{Name: "v4", Title: "Version 4, /2fa/v4", YAML: api.V4()},
		openapi.Document{Name: "v1", Title: "Version 1, /2fa/v1", YAML: api.V1()},
		openapi.Document{Name: "octopush", Title: "Octopush OTP, /v1/public/service/otp", YAML: api.Octopush()},
		openapi.Document{Name: "sandbox", Title: "Sandbox inbox, /sandbox", YAML: api.Sandbox()},
	)
	if err != nil {
		return fmt.Errorf("register the OpenAPI pages: %w", err)
	}
	return nil
}
