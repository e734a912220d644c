package server

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/countersign/countersign/internal/account"
	sandboxapi "github.com/countersign/countersign/internal/api/sandbox"
	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
)

// Receive takes a carrier's receipt; the dispatcher's method does.
type Receive func(context.Context, delivery.Receipt) (known bool, err error)

// Box is the deployment's sandbox, or that there is none.
type Box struct {
	Inbox *sandbox.Inbox // nil if there is no sandbox

	carrier  *sandbox.Carrier
	whatsApp catalog.WhatsApp
	router   delivery.Router
}

// Sandbox returns the deployment's sandbox. This version has no real carriers,
// so there is one unless the operator turned it off (K-05).
func (d *Deployment) Sandbox(receive Receive) *Box {
	if d.Config.Sandbox == config.SandboxOff {
		return &Box{whatsApp: noWhatsApp{}, router: noRoute{}}
	}
	b := &Box{Inbox: sandbox.NewInbox(d.Store, d.Keys, d.Log)}
	b.carrier = sandbox.New(sandbox.Config{Inbox: b.Inbox, Receive: receive, Log: d.Log, SubmitDelay: d.Config.SandboxSubmitDelay})
	b.whatsApp = sandbox.NewWhatsApp(d.Store, d.Config.SandboxWhatsAppReview, d.Store.Now)
	b.router = sandbox.NewRouter(b.carrier)
	return b
}

// Router finds the carriers of a channel.
func (b *Box) Router() delivery.Router { return b.router }

// WhatsApp holds the templates of WhatsApp.
func (b *Box) WhatsApp() catalog.WhatsApp { return b.whatsApp }

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

// register adds GET /sandbox/messages, which answers 404 where there is no
// sandbox.
func (b *Box) register(mux *http.ServeMux, keys *account.Authenticator, log *slog.Logger) {
	c := sandboxapi.Config{Keys: keys, Log: log}
	if b.Inbox != nil {
		c.Messages = b.Inbox
	}
	mux.Handle(sandboxapi.Path, sandboxapi.New(c))
}

func isSandbox(c delivery.Carrier) bool { return sandbox.Is(c) }

// noRoute leads nowhere.
type noRoute struct{}

func (noRoute) Route(message.Channel, phone.Recipient) []delivery.Carrier { return nil }
