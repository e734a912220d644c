package server

import (
	"crypto/rand"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/api/octopush"
	"github.com/countersign/countersign/internal/api/tyntecv1"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/metrics"
)

// apis are the facades, with what others borrow of them.
type apis struct {
	owned    []owned
	accounts *account.Authenticator
	v4       tyntecv4.Config
	v1       tyntecv1.Config
}

// apis makes the facades. They share the service, the limit on calls and the gate
// before both.
func (s *Server) apis(d *Deployment, m *metrics.Metrics, e *engine) (a apis) {
	gate := admission.New(time.Now, m.Refused)                                                     //nolint:forbidigo // measures how long calls take
	service := d.Verify(m.Store(gate.Store(d.Store), time.Now), e.carriers.Router(), e.dispatcher) //nolint:forbidigo // as above
	calls := account.NewThrottle(time.Now)                                                         //nolint:forbidigo // spaces calls of one key, decides nothing about OTPs
	a.accounts = account.NewAuthenticator(d.Store, d.Store.Now)
	a.v4 = tyntecv4.Config{
		Verify: service, Accounts: a.accounts, Catalog: e.entries, WhatsApp: newWhatsApp(e.carriers, e.box), RefuseURL: e.guard.CheckURL,
		Admit: calls.Admit, Room: gate.Room, Wait: d.Wait,
		Senders: s.Config.Senders, Limits: s.Config.V4,
		AllowQueryKey: s.Config.AllowQueryKey, Log: s.Log,
	}
	a.v1 = tyntecv1.Config{
		Verify: service, Accounts: a.accounts, Catalog: e.entries, Now: d.Store.Now, Admit: calls.Admit, Room: gate.Room, Wait: d.Wait,
		Caller: s.Config.Senders.Voice, Log: s.Log,
	}
	a.owned = []owned{{"/2fa/v4", tyntecv4.New(a.v4)}, {"/2fa/v1", tyntecv1.New(a.v1)}, {"/v1/public/service/otp", octopush.New(octopush.Config{
		OTPs: service, Accounts: a.accounts, Now: d.Store.Now, Random: rand.Reader,
		Admit: calls.Admit, Room: gate.Room, Wait: d.Wait, Caller: s.Config.Senders.Voice, Log: s.Log,
	})}}
	return a
}
