package tyntecv1_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/api/tyntecv1"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/storetest"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

// Keys of the accounts: acme has k1, and kt and ku, which are throttled.
const (
	k1       = "k1"
	kt       = "kt"
	ku       = "ku"
	otherKey = "o1"
)

// harness is a whole server: the real store, services and dispatcher behind a
// real listener. Time stands still until advance moves it, and nothing is
// dispatched but by settle, which every request of call ends with.
type harness struct {
	t          *testing.T
	wall       *storetest.Wall
	store      testdb.Store
	dispatcher *delivery.Dispatcher
	sms, voice *carrier
	server     *httptest.Server
	client     *http.Client
	access     *lockedBuffer // what an access log says
	log        *lockedBuffer
}

// options are what a story wants otherwise.
type options struct {
	rules guard.Rules
	store func(testdb.Store) (verify.Store, catalog.Store)
	room  func(admission.Work) error

	caller string // the server's
}

func start(t *testing.T) *harness {
	t.Helper()
	return startWith(t, options{rules: guard.Compat(10)})
}

func startWith(t *testing.T, o options) *harness {
	t.Helper()
	h := &harness{
		t: t, wall: &storetest.Wall{}, sms: &carrier{name: "sms"}, voice: &carrier{name: "voice"},
		access: &lockedBuffer{}, log: &lockedBuffer{},
	}
	logger := slog.New(slog.NewTextHandler(h.log, nil))
	h.store = testdb.Open(t, h.wall.Now, logger)
	root, err := secret.NewRoot(rand.Reader)
	h.must(err)
	keys, err := secret.NewKeyring(root)
	h.must(err)
	carriers := router{message.SMS: h.sms, message.Voice: h.voice}
	h.dispatcher = delivery.NewDispatcher(delivery.DispatcherConfig{
		Store: h.store, Router: carriers, Node: "test", Log: logger, Now: h.store.Now,
		Open: func(account, id string, sealed []byte) (otp.Code, error) {
			return verify.OpenCode(keys.Open, account, id, sealed)
		},
	})
	otps, entries := verify.Store(h.store), catalog.Store(h.store)
	if o.store != nil {
		otps, entries = o.store(h.store)
	}
	facade := tyntecv1.New(tyntecv1.Config{
		Verify: verify.New(verify.Config{
			Store: otps, Keys: keys, Dispatch: h.dispatcher, Coverage: delivery.Coverage{Router: carriers},
			Rules: o.rules, Random: rand.Reader,
		}),
		Accounts: account.NewAuthenticator(h.store, h.wall.Now),
		Catalog:  catalog.New(catalog.Config{Store: entries, Keys: keys, Random: rand.Reader, Now: h.wall.Now}),
		Now:      h.store.Now, Admit: account.NewThrottle(h.wall.Now).Admit, Room: o.room, Caller: o.caller, Log: logger,
	})
	for _, name := range []string{"acme", "other"} {
		h.must(h.store.CreateAccount(t.Context(), account.Account{Name: name, Created: h.wall.Now()}))
	}
	h.key("acme", k1, false)
	h.key("acme", kt, true)
	h.key("acme", ku, true)
	h.key("other", otherKey, false)
	h.server = httptest.NewServer(accessLog(h.access, facade))
	t.Cleanup(h.server.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{
		Transport:     checked{t, transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h
}

// accessLog writes what access logs are usually made of.
func accessLog(w *lockedBuffer, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer func() {
			fmt.Fprintf(w, "%s %s %s %s %s\n", r.Method, r.RequestURI, r.URL, r.Form, r.Pattern)
		}()
		next.ServeHTTP(rw, r)
	})
}

func (h *harness) key(owner, text string, throttle bool) {
	h.t.Helper()
	h.must(h.store.CreateKey(h.t.Context(), account.Key{
		ID: text, Account: owner, Throttle: throttle, Hash: account.HashKey(text), Created: h.wall.Now(),
	}))
}

func (h *harness) must(err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatal(err)
	}
}

// settle lets the dispatcher do what is due.
func (h *harness) settle() {
	h.t.Helper()
	_, err := h.dispatcher.Step(h.t.Context())
	h.must(err)
}

// at sets the clock to so long after its start.
func (h *harness) at(d time.Duration) {
	h.t.Helper()
	h.wall.Add(storetest.Start.Add(d).Sub(h.wall.Now()))
	h.settle()
}

// fails reports that a message failed.
func (h *harness) fails(c *carrier, i int, code, text string) {
	h.t.Helper()
	known, err := h.dispatcher.Receive(h.t.Context(), delivery.Receipt{
		Carrier: c.name, Ref: c.name + strconv.Itoa(i), State: delivery.ReceiptUndeliverable,
		Failure: otp.Failure{Area: delivery.AreaCarrier, Code: code, Text: text},
	})
	if err != nil || !known {
		h.t.Fatalf("receipt: known %v, %v", known, err)
	}
	h.settle()
}

// carrier is a delivery.Carrier that takes everything unless told otherwise.
type carrier struct {
	name   string
	answer *delivery.Result // nil takes the message

	mu  sync.Mutex // guards got
	got []delivery.Message
}

func (c *carrier) Name() string  { return c.name }
func (c *carrier) Dedupes() bool { return true }

func (c *carrier) Submit(_ context.Context, m delivery.Message) delivery.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, m)
	if c.answer != nil {
		return *c.answer
	}
	return delivery.Result{Class: delivery.Accepted, Ref: c.name + strconv.Itoa(len(c.got)-1)}
}

func (c *carrier) messages() []delivery.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]delivery.Message{}, c.got...)
}

// last returns the newest of so many messages.
func (h *harness) last(c *carrier, of int) delivery.Message {
	h.t.Helper()
	all := c.messages()
	if len(all) != of || of == 0 {
		h.t.Fatalf("%s carried %d messages, want %d", c.name, len(all), of)
	}
	return all[of-1]
}

// sent wants so many text messages and calls.
func (h *harness) sent(sms, calls int) {
	h.t.Helper()
	if s, v := len(h.sms.messages()), len(h.voice.messages()); s != sms || v != calls {
		h.t.Fatalf("%d text messages and %d calls, want %d and %d", s, v, sms, calls)
	}
}

// router has one carrier a channel.
type router map[message.Channel]*carrier

func (r router) Route(c message.Channel, _ phone.Recipient, _ string) []delivery.Carrier {
	if r[c] == nil {
		return nil
	}
	return []delivery.Carrier{r[c]}
}

// lockedBuffer is a log.
type lockedBuffer struct {
	mu sync.Mutex // guards b
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
