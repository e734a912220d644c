package tyntecv4_test

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/guard"
)

// remote is a WhatsApp elsewhere, whose answers are remembered.
type remote struct {
	catalog.WhatsApp

	hangs atomic.Bool // lists end only with their context
}

func (r *remote) WhatsAppTemplates(ctx context.Context, account, ref string) ([]catalog.WhatsAppTemplate, error) {
	if r.hangs.Load() {
		<-ctx.Done()
		return nil, catalog.ErrWhatsAppUnreachable
	}
	return r.WhatsApp.WhatsAppTemplates(ctx, account, ref)
}

// startRemote starts a server with a template at a WhatsApp elsewhere and a
// profile with it.
func startRemote(t *testing.T) (*harness, *remote) {
	t.Helper()
	r := &remote{}
	h := startWith(t, options{rules: guard.Compat(0), config: func(c *tyntecv4.Config) {
		r.WhatsApp = struct{ catalog.WhatsApp }{c.WhatsApp} // it is not local any more
		c.WhatsApp = r
	}})
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = h.catalog.Run(ctx) }) // it is nil
	t.Cleanup(running.Wait)
	t.Cleanup(end)
	h.post(whatsAppPath, whatsAppConfig).empty(http.StatusCreated)
	h.post(whatsAppTemplates, newLoginWA).empty(http.StatusCreated)
	h.post("/profiles", `{"name":"wa","channels":[{"type":"WHATSAPP","templates":[{"name":"login_wa"}]},
		{"type":"SMS","templates":[{"name":"login_sms_en"}]}]}`).created()
	h.post("/priorities", `{"name":"one","channelPriority":[{"channel":"WHATSAPP","priority":1}]}`).created()
	h.post("/priorities", `{"name":"two","channelPriority":[{"channel":"SMS","priority":1},{"channel":"WHATSAPP","priority":2}]}`).created()
	return h, r
}

func TestWhatTheListOfTemplatesShowsHoldsForSends(t *testing.T) {
	t.Parallel()
	h, _ := startRemote(t)
	const send = `{"profileName":"wa","priorityName":"one","senderWA":"4930123456"}`
	h.send(send).cv("priorityName")
	h.whatsApp.review(catalog.WhatsAppApproved)
	h.get(whatsAppTemplates).status(http.StatusOK)
	h.accepted(send)
	h.whatsApp.review("PAUSED")
	h.get(whatsAppTemplates).status(http.StatusOK)
	h.send(send).cv("priorityName")
	h.whatsApp.review(catalog.WhatsAppApproved)
	h.post("/profiles", `{"name":"again","channels":[{"type":"WHATSAPP","templates":[{"name":"login_wa"}]}]}`).created()
	h.accepted(send)
}

func TestASendGoesOnWithoutWhatsAppWhereThatHangs(t *testing.T) {
	t.Parallel()
	h, r := startRemote(t)
	h.clock.add(5 * time.Minute) // what is known is too old
	r.hangs.Store(true)
	id := h.accepted(`{"profileName":"wa","priorityName":"two","senderWA":"4930123456"}`)
	equal(t, "events", h.events(id), []string{"SMS DISPATCHED"})
	h.send(`{"profileName":"wa","priorityName":"one","senderWA":"4930123456"}`).
		problem(http.StatusInternalServerError, "Internal Server Error", "accountId", whatsAppAccount, "templateName", "login_wa")
}
