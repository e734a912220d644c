package meta_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/carrier/meta"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	waba      = "102290129340398"
	phoneID   = "106540352242922"
	business  = "4930123456"
	accessKey = "EAAJB-access-token"
	appSecret = "app-secret"
	verify    = "a word of ours"
	ref       = "289a1c20-06c5-4964-b32d-24d214a78ae5" // of the account, elsewhere
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// config is for one account at g.
func config(g *graph) meta.Config {
	return meta.Config{
		Name: "whatsapp", BaseURL: g.URL, Token: setting.NewSecret(accessKey), AppSecret: setting.NewSecret(appSecret), VerifyToken: setting.NewSecret(verify),
		Accounts: []meta.Account{{ID: waba, Refs: []string{ref}, Numbers: map[string]string{business: phoneID}}},
	}
}

// desk takes receipts and notices.
type desk struct {
	mu       sync.Mutex // guards what follows
	err      error      // what Receive returns
	receipts []delivery.Receipt
	notices  map[meta.Notice]int
	changed  []catalog.WhatsAppChange
}

func newDesk() *desk { return &desk{notices: map[meta.Notice]int{}} }

func (d *desk) receive(_ context.Context, r delivery.Receipt) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return false, d.err
	}
	d.receipts = append(d.receipts, r)
	return r.Ref != "wamid.unknown", nil
}

func (d *desk) deps() meta.Deps {
	return meta.Deps{
		Receive: d.receive, Log: discard(), Now: time.Now, Version: "v1.4.2-3-g2b9ce1b", ReceiptURL: "https://otp.example/carriers/whatsapp/receipts/t",
		Changed: func(c catalog.WhatsAppChange) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.changed = append(d.changed, c)
		},
		Noticed: func(_ string, n meta.Notice) {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.notices[n]++
		},
	}
}

func (d *desk) noticed(n meta.Notice) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.notices[n]
}

func (d *desk) received() []delivery.Receipt {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]delivery.Receipt(nil), d.receipts...)
}

// clock is a time that a test moves.
type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 5, 4, 9, 30, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// open returns a running carrier.
func open(t testing.TB, cfg meta.Config, d meta.Deps) *meta.Carrier {
	t.Helper()
	c, err := meta.New(cfg, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(run(c))
	return c
}

// run runs the carrier until the function that it returns is called.
func run(c *meta.Carrier) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { _ = c.Run(ctx) }) // it returns nil
	return func() {
		cancel()
		running.Wait()
	}
}

// text returns a message as API account acme sends it.
func text(t testing.TB, change ...func(*delivery.Message)) delivery.Message {
	t.Helper()
	m := delivery.Message{
		Dedupe: uuid.NewString(), Account: "acme", OTPID: uuid.NewString(), Recipient: recipient(t, "+491712345678"),
		Step: whatsAppStep(), Code: otp.NewCode("483916"), Expires: time.Now().Add(5 * time.Minute), Try: 1,
	}
	for _, f := range change {
		f(&m)
	}
	return m
}

func whatsAppStep() delivery.Step {
	return delivery.Step{
		Channel: message.WhatsApp, Sender: business, Language: "en_US", Template: "Login_WA", AccountRef: ref, Wait: time.Minute,
		Text: message.Parse("*{{1}}* is your verification code.", []message.Placeholder{{Token: "{{1}}", Code: true}}),
	}
}

func recipient(t testing.TB, number string) phone.Recipient {
	t.Helper()
	n, err := phone.FromE164(number)
	if err != nil {
		t.Fatal(err)
	}
	return n.Recipient()
}

func noError(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
