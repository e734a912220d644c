package server

import (
	"context"
	"log/slog"
	"net/http"
	"strings"

	"github.com/countersign/countersign/internal/account"
	sandboxapi "github.com/countersign/countersign/internal/api/sandbox"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/fleet"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

// Receive takes a carrier's receipt; the dispatcher's method does.
type Receive func(context.Context, delivery.Receipt) (known bool, err error)

// Box is the deployment's sandbox, or that there is none.
type Box struct {
	Inbox  *sandbox.Inbox  // nil if there is no sandbox
	Orders *sandbox.Orders // likewise

	carrier  *sandbox.Carrier
	whatsApp catalog.WhatsApp
}

// Sandbox returns the deployment's sandbox: there is one unless the operator
// turned it off or configured real carriers, or asks for it beside those (K-05).
func (d *Deployment) Sandbox() *Box {
	if d.Config.Sandbox == config.SandboxAuto && fleet.Real(d.Config.Carriers) {
		return &Box{}
	}
	return d.box(nil)
}

// box returns a sandbox that may serve now or after a reload.
func (d *Deployment) box(receive Receive) *Box {
	if d.Config.Sandbox == config.SandboxOff {
		return &Box{}
	}
	b := &Box{Inbox: sandbox.NewInbox(d.Store, d.Keys, d.Log), Orders: sandbox.NewOrders(d.Store, d.Keys, d.Log)}
	b.carrier = sandbox.New(sandbox.Config{
		Inbox: b.Inbox, Orders: b.Orders, Receive: receive, Log: d.Log, SubmitDelay: d.Config.SandboxSubmitDelay,
	})
	b.whatsApp = sandbox.NewWhatsApp(d.Store, d.Config.SandboxWhatsAppReview, d.Store.Now)
	return b
}

// Planner finds carriers for a process that dispatches nothing: the sandbox
// where nothing else serves. Whatever real carriers may carry is limited, and
// so is what it finds no carrier for.
func (d *Deployment) Planner() delivery.Router {
	if b := d.Sandbox(); b.Inbox != nil && !fleet.Real(d.Config.Carriers) {
		return sandbox.NewRouter(b.carrier)
	}
	return noRoute{}
}

// asCarrier returns the sandbox's carrier; nil if there is none.
func (b *Box) asCarrier() delivery.Carrier {
	if b.carrier == nil {
		return nil
	}
	return b.carrier
}

// runs are what a server runs of the sandbox.
func (b *Box) runs() []func(context.Context) error {
	if b.Inbox == nil {
		return nil
	}
	return []func(context.Context) error{b.Inbox.Run, func(ctx context.Context) error {
		<-ctx.Done()
		b.carrier.Close()
		return nil
	}}
}

// register adds GET /sandbox/messages, which answers 404 while the sandbox does
// not serve.
func (b *Box) register(mux *http.ServeMux, serves func() bool, keys *account.Authenticator, log *slog.Logger) {
	absent := sandboxapi.New(sandboxapi.Config{Keys: keys, Log: log})
	present := absent
	if b.Inbox != nil {
		present = sandboxapi.New(sandboxapi.Config{Keys: keys, Log: log, Messages: b.Inbox})
	}
	either := func(w http.ResponseWriter, r *http.Request) {
		if serves() {
			present.ServeHTTP(w, r)
			return
		}
		absent.ServeHTTP(w, r)
	}
	mux.HandleFunc(sandboxapi.Path, either)
	// http.ServeMux would lead on from here with the query, and so repeat a key in
	// it.
	mux.HandleFunc(strings.TrimSuffix(sandboxapi.Path, "/"), either)
}

func isSandbox(c delivery.Carrier) bool { return sandbox.Is(c) }

// noRoute leads nowhere.
type noRoute struct{}

func (noRoute) Route(message.Channel, phone.Recipient, string) []delivery.Carrier { return nil }
