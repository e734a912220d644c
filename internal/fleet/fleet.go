package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/route"
)

// Deps are what a Fleet works with. Receive, Log, Now and Tokens are needed; the
// zero value of every other field works.
type Deps struct {
	// Receive takes receipts; the dispatcher's does.
	Receive func(ctx context.Context, r delivery.Receipt) (known bool, err error)
	Log     *slog.Logger
	Now     func() time.Time // this machine's clock
	// Tokens returns what opens the receipt URL of a carrier, the current token
	// first.
	Tokens func(carrier string) []string
	// PublicURL is how carriers reach this server; nil: they cannot.
	PublicURL *url.URL
	Version   string // the server's
	// Sender is what the server names on a channel where nobody else names a
	// sender, "" for nothing; nil: on none. A carrier of SMS that has a sender of
	// its own uses that instead.
	Sender func(message.Channel) string
	// Sandbox is the sandbox's carrier; nil if it never serves.
	Sandbox delivery.Carrier
	// Renewed is told of every carrier that was replaced or removed, Carriers how
	// many there are after a reload; nil for nobody.
	Renewed  func(carrier string)
	Carriers func(n int)
	Observer Observer // nil for none
	// Notes keeps what WhatsApp does not know of its templates; nil: they last as
	// long as the carrier.
	Notes catalog.WhatsAppNotes
	// WhatsAppChanged is told, by each reference of its account, that a template
	// may have another status; nil for nobody.
	WhatsAppChanged func(catalog.WhatsAppChange)
}

// Fleet is the carriers of a server. Its methods may be called at once; Run is
// called once.
type Fleet struct {
	deps   Deps
	router route.Router

	mu       sync.Mutex // guards what follows
	settings Settings
	members  []*member                              // in the file's order
	start    func(m *member, after <-chan struct{}) // nil while Run does not run
	leaving  map[string]*member                     // those that end, by name; of several the latest
	running  sync.WaitGroup

	begun chan struct{} // closed once Run runs the carriers
}

// New makes the carriers and routes that s describes. It opens no connection.
// What is wrong is a *config.FileError, or several of them joined.
func New(s Settings, d Deps) (*Fleet, error) {
	if d.Renewed == nil {
		d.Renewed = func(string) {}
	}
	if d.Carriers == nil {
		d.Carriers = func(int) {}
	}
	if d.Observer == nil {
		d.Observer = unobserved{}
	}
	f := &Fleet{deps: d, leaving: map[string]*member{}, begun: make(chan struct{})}
	members, table, err := f.prepare(s)
	if err != nil {
		return nil, err
	}
	f.settings, f.members = s, members
	f.router.Set(table)
	return f, nil
}

// prepare makes the members of s, those that did not change taken over, and
// their routes.
func (f *Fleet) prepare(s Settings) ([]*member, *route.Table, error) {
	wanted, err := specs(s)
	problems := []error{err}
	members := make([]*member, 0, len(wanted))
	carriers := make([]delivery.Carrier, 0, len(wanted)+1)
	for _, w := range wanted {
		m := f.kept(w)
		if m == nil {
			if m, err = newMember(w, f.env(w.Carrier), f.deps.Tokens(w.Name)); err != nil {
				problems = append(problems, err)
				continue
			}
			m.weakest = f.deps.Sender
		}
		members = append(members, m)
		carriers = append(carriers, m)
	}
	if err := errors.Join(problems...); err != nil {
		return nil, nil, err
	}
	var box delivery.Carrier
	if s.serves() {
		box = f.deps.Sandbox
	}
	decide, err := rules(s, carriers, box)
	if err != nil {
		return nil, nil, err
	}
	if box != nil {
		carriers = append(carriers, box)
	}
	table, err := route.NewTable(decide, carriers)
	if err != nil {
		return nil, nil, fmt.Errorf("make routes: %w", err)
	}
	return members, table, nil
}

// kept returns the member that is as w wants it; nil for none.
func (f *Fleet) kept(w spec) *member {
	i := slices.IndexFunc(f.members, func(m *member) bool { return m.Name() == w.Name && m.fit == w.fit && m.same(w.settings) })
	if i < 0 {
		return nil
	}
	return f.members[i]
}

// env is for a carrier that the configuration describes. What it logs names file
// and line, as they were when it began.
func (f *Fleet) env(c config.Carrier) env {
	return env{
		receive: f.deps.Receive, log: f.deps.Log.With(slog.String("at", c.At(""))), now: f.deps.Now, version: f.deps.Version,
		receiptURL: f.receiptURL(c.Name),
		observer:   f.deps.Observer, notes: f.deps.Notes, changed: f.deps.WhatsAppChanged, memory: f.remembered(c.Name),
	}
}

// Router finds the carriers of a channel and recipient.
func (f *Fleet) Router() delivery.Router { return &f.router }

// Table returns the routes as they are now.
func (f *Fleet) Table() *route.Table { return f.router.Table() }

// Serves reports whether the sandbox serves now.
func (f *Fleet) Serves() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.deps.Sandbox != nil && f.settings.serves()
}

// Size returns how many carriers there are, the sandbox included if it serves.
func (f *Fleet) Size() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := len(f.members)
	if f.deps.Sandbox != nil && f.settings.serves() {
		n++
	}
	return n
}

// Begun is closed once Run runs the carriers: from then on they can be reloaded.
func (f *Fleet) Begun() <-chan struct{} { return f.begun }

// Run runs the carriers until ctx ends and all of them have ended.
func (f *Fleet) Run(ctx context.Context) error {
	f.mu.Lock()
	f.start = func(m *member, after <-chan struct{}) {
		f.running.Go(func() {
			m.run(ctx, after, f.deps.Log)
			f.left(m)
		})
	}
	for _, m := range f.members {
		f.start(m, nil)
	}
	f.mu.Unlock()
	close(f.begun)
	f.warn(ctx)
	<-ctx.Done()
	f.mu.Lock()
	f.start = nil
	f.mu.Unlock()
	f.running.Wait()
	return nil
}

// Serve runs the carriers around work: they end once work, which gets ctx, has
// returned, so that it can hand over what it has begun.
func (f *Fleet) Serve(ctx context.Context, work func(context.Context) error) error {
	apart, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var carriers sync.WaitGroup
	var failed error
	carriers.Go(func() { failed = f.Run(apart) })
	err := work(ctx)
	cancel()
	carriers.Wait()
	return errors.Join(err, failed)
}

// warn tells what the operator may have meant otherwise.
func (f *Fleet) warn(ctx context.Context) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.members {
		if m.receipts != nil && f.deps.PublicURL == nil {
			f.deps.Log.WarnContext(ctx, "no receipts will come from a carrier, as public_url is not set", slog.String("carrier", m.Name()))
		}
		named := slices.ContainsFunc(f.settings.Routes, func(r route.Rule) bool {
			return slices.ContainsFunc(r.Choices, func(c route.Choice) bool { return c.Carrier == m.Name() })
		})
		if len(f.settings.Routes) > 0 && !named {
			f.deps.Log.WarnContext(ctx, "a carrier is in no route", slog.String("carrier", m.Name()), slog.String("at", f.settings.at(m.Name())))
		}
	}
}
