package tyntecv4_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

const number = "+4915112345678"

// harness is a whole server: the real store, services and dispatcher behind a
// real listener. Time stands still until advance moves it, and nothing is
// dispatched but by settle, which every request to the test's client ends with.
type harness struct {
	t          *testing.T
	clock      *fakeClock
	store      testdb.Store
	service    *verify.Service
	catalog    *catalog.Service
	dispatcher *delivery.Dispatcher
	sms        *carrier
	voice      *carrier
	viber      *carrier
	whatsApp   *whatsApp
	server     *httptest.Server
	client     *http.Client
	log        *lockedBuffer

	T1, T2, T3, P1, P2, R1, R2, R3 string // the fixtures' ids
}

// options are what a story wants otherwise.
type options struct {
	rules  guard.Rules
	config func(*tyntecv4.Config)
	store  func(testdb.Store) (verify.Store, catalog.Store)
}

// newServer starts a server with two accounts and nothing in them.
func newServer(t *testing.T, o options) *harness {
	t.Helper()
	h := &harness{
		t: t, clock: &fakeClock{now: time.Date(2026, 5, 4, 9, 30, 0, 125_000_000, time.UTC)}, log: &lockedBuffer{},
		sms: newCarrier("sms"), voice: newCarrier("voice"), viber: newCarrier("viber"),
	}
	h.whatsApp = &whatsApp{carrier: newCarrier("whatsapp"), now: h.clock.Now}
	logger := slog.New(slog.NewTextHandler(h.log, nil))
	h.store = testdb.Open(t, h.clock.Now, logger)
	otps, entries := verify.Store(h.store), catalog.Store(h.store)
	if o.store != nil {
		otps, entries = o.store(h.store)
	}
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatalf("make root key: %v", err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		t.Fatalf("make keyring: %v", err)
	}
	router := router{message.SMS: h.sms, message.Voice: h.voice, message.Viber: h.viber, message.WhatsApp: h.whatsApp.carrier}
	h.dispatcher = delivery.NewDispatcher(delivery.DispatcherConfig{
		Store: h.store, Router: router, Node: "test", Log: logger, Now: h.store.Now,
		Open: func(account, id string, sealed []byte) (otp.Code, error) {
			return verify.OpenCode(keys.Open, account, id, sealed)
		},
	})
	h.service = verify.New(verify.Config{
		Store: otps, Keys: keys, Dispatch: h.dispatcher, Coverage: delivery.Coverage{Router: router},
		Rules: o.rules, Random: rand.Reader,
	})
	h.catalog = catalog.New(catalog.Config{Store: entries, Keys: keys, Random: rand.Reader, Now: h.clock.Now})
	config := tyntecv4.Config{
		Verify: h.service, Catalog: h.catalog, WhatsApp: h.whatsApp,
		Accounts:  account.NewAuthenticator(h.store, h.clock.Now),
		RefuseURL: callback.NewGuard(callback.GuardConfig{}).CheckURL,
		Log:       logger,
	}
	if o.config != nil {
		o.config(&config)
	}
	for name, key := range map[string]string{"a": "key-a", "b": "key-b"} {
		h.must(h.store.CreateAccount(t.Context(), account.Account{Name: name, Created: h.clock.Now()}))
		h.must(h.store.CreateKey(t.Context(), account.Key{ID: name, Account: name, Hash: account.HashKey(key), Created: h.clock.Now()}))
	}
	h.server = httptest.NewServer(tyntecv4.New(config))
	t.Cleanup(h.server.Close)
	transport := &http.Transport{MaxIdleConnsPerHost: 100}
	t.Cleanup(transport.CloseIdleConnections)
	h.client = &http.Client{
		Transport:     checked{t, transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return h
}

// start starts a server with the fixtures of contract v4 §15, all made through
// the API.
func start(t *testing.T) *harness {
	t.Helper()
	return startWith(t, options{rules: guard.Compat(0)})
}

func startWith(t *testing.T, o options) *harness {
	t.Helper()
	h := newServer(t, o)
	h.T1 = h.post("/templates/sms", `{"name":"login_sms_en","language":"en","codeExpirationTime":3,
		"message":"ACME code {{otp_code}}, valid {{expiration_time}} min."}`).created()
	h.T2 = h.post("/templates/sms", `{"name":"login_sms_de","language":"de","codeExpirationTime":5,"message":"ACME-Code {{otp_code}}"}`).created()
	h.T3 = h.post("/templates/voice", `{"name":"login_voice_en","language":"en","codeExpirationTime":4,
		"message":"Your ACME code is {{otp_code}}"}`).created()
	h.P1 = h.post("/profiles", `{"name":"login","alphanumeric":"false","otpCodeLength":6,"attempts":3,"channels":[
		{"type":"SMS","templates":[{"name":"login_sms_en","languageCode":"en"},{"name":"login_sms_de","languageCode":"de"}]},
		{"type":"VOICE","templates":[{"name":"login_voice_en","languageCode":"en"}]}]}`).created()
	h.P2 = h.post("/profiles", `{"name":"strict","alphanumeric":"true","otpCodeLength":8,"attempts":1,"channels":[
		{"type":"SMS","templates":[{"name":"login_sms_en","languageCode":"en"}]}]}`).created()
	h.R1 = h.post("/priorities", `{"name":"sms-only","channelPriority":[{"channel":"SMS","priority":1}]}`).created()
	h.R2 = h.post("/priorities", `{"name":"sms-then-voice","channelPriority":[{"channel":"SMS","priority":1},{"channel":"VOICE","priority":5}]}`).created()
	h.R3 = h.post("/priorities", `{"name":"viber-only","channelPriority":[{"channel":"VIBER","priority":1}]}`).created()
	return h
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

// advance lets time pass and the dispatcher do what is due then.
func (h *harness) advance(d time.Duration) {
	h.t.Helper()
	h.clock.add(d)
	h.settle()
}

// receipt reports what became of the carrier's message number i.
func (h *harness) receipt(c *carrier, i int, state delivery.ReceiptState) {
	h.t.Helper()
	r := delivery.Receipt{Carrier: c.name, Ref: reference(c.name, i), State: state}
	if state == delivery.ReceiptUndeliverable {
		r.Failure = otp.Failure{Area: delivery.AreaCarrier, Code: "1", Text: "Absent subscriber"}
	}
	known, err := h.dispatcher.Receive(h.t.Context(), r)
	if err != nil || !known {
		h.t.Fatalf("receipt %+v: known %v, %v", r, known, err)
	}
	h.settle()
}

// events returns the kinds of an OTP's delivery events with their channels.
func (h *harness) events(id string) []string {
	h.t.Helper()
	all, err := h.service.Events(h.t.Context(), verify.Ref{Account: "a", Origin: "v4", ID: id})
	h.must(err)
	out := []string{}
	for _, e := range all {
		if e.Kind.OfDelivery() {
			out = append(out, e.Channel+" "+e.Kind.String())
		}
	}
	return out
}

// fakeClock stands still until it is moved.
type fakeClock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *fakeClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *fakeClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// carrier is a delivery.Carrier that takes everything unless told otherwise.
type carrier struct {
	name   string
	answer func() delivery.Result // nil takes the message

	mu  sync.Mutex // guards got
	got []delivery.Message
}

func newCarrier(name string) *carrier { return &carrier{name: name} }

func reference(name string, i int) string { return name + "-" + string(rune('0'+i)) }

func (c *carrier) Name() string  { return c.name }
func (c *carrier) Dedupes() bool { return true }

func (c *carrier) Submit(_ context.Context, m delivery.Message) delivery.Result {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.got = append(c.got, m)
	if c.answer != nil {
		return c.answer()
	}
	return delivery.Result{Class: delivery.Accepted, Ref: reference(c.name, len(c.got)-1)}
}

func (c *carrier) messages() []delivery.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]delivery.Message{}, c.got...)
}

// refuses makes the carrier refuse every message.
func (c *carrier) refuses() {
	c.answer = func() delivery.Result {
		return delivery.Result{Class: delivery.Permanent, Failure: otp.Failure{Area: delivery.AreaCarrier, Code: "3", Text: "Refused"}}
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
