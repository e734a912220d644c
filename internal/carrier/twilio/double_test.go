package twilio_test

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sort"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/twilio"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/otp"
	"github.com/countersign/countersign/internal/phone"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	account   = "AC00000000000000000000000000000001"
	token     = "5ca1ab1e5ca1ab1e5ca1ab1e5ca1ab1e"
	service   = "MG00000000000000000000000000000002"
	content   = "HX00000000000000000000000000000003"
	publicURL = "https://otp.example.com/carriers/twilio/receipts/0123456789abcdef"
	dedupe    = "7f0c2d0e-5b1a-4a52-9a43-2f8d6f4f5e11"
	code      = "80427519"
	recipient = "+491712345678"
)

// clock is when everything happens in these tests.
func clock() time.Time { return time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC) }

// config is one that serves all channels.
func config() twilio.Config {
	return twilio.Config{
		Name: "twilio", AccountSID: account, AuthToken: setting.NewSecret(token), BaseURL: "http://localhost",
		From: "+15005550006", WhatsAppFrom: "+14155238886", Content: map[string]string{"otp/de": content}, Caller: "+15005550007",
	}
}

// text is a message on a channel.
func text(t testing.TB, channel message.Channel, words string) delivery.Message {
	t.Helper()
	to, err := phone.FromE164(recipient)
	if err != nil {
		t.Fatal(err)
	}
	return delivery.Message{
		Dedupe: dedupe, Account: "acme", OTPID: "o1", Recipient: to.Recipient(), Code: otp.NewCode(code),
		Step: delivery.Step{
			Channel: channel, Text: message.Parse(words, []message.Placeholder{{Token: "{code}", Code: true}}),
			Language: "de", Template: "otp", Wait: time.Minute,
		},
		Expires: clock().Add(5 * time.Minute), Try: 1,
	}
}

// asked is one request that the double of Twilio read.
type asked struct {
	raw      []byte // with sorted headers
	path     string
	user     string
	password string
	form     url.Values
}

// upstream is a double of Twilio's API.
type upstream struct {
	server *httptest.Server

	mu      sync.Mutex // guards what follows
	answers []answer
	all     []asked
	taken   int
}

// answer is what a request gets; a zero status is a message that is taken.
type answer struct {
	status int
	header http.Header
	body   string
	silent bool
}

func refusal(status, code int) answer {
	return answer{status: status, body: fmt.Sprintf(
		`{"code":%d,"message":"The number %s is a secret","more_info":"https://www.twilio.com/docs/errors/%d","status":%d}`, code, recipient, code, status)}
}

func newUpstream(t testing.TB) *upstream {
	t.Helper()
	u := &upstream{}
	u.server = httptest.NewServer(u)
	t.Cleanup(u.server.Close)
	return u
}

func (u *upstream) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, err := httputil.DumpRequest(r, true)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a := asked{raw: raw, path: r.Method + " " + r.URL.RequestURI()}
	a.user, a.password, _ = r.BasicAuth()
	_ = r.ParseForm()
	a.form = r.PostForm
	u.mu.Lock()
	u.all = append(u.all, a)
	u.taken++
	kind, sid := "SM", u.taken
	next := answer{}
	if len(u.answers) > 0 {
		next, u.answers = u.answers[0], u.answers[1:]
	}
	u.mu.Unlock()
	if next.silent {
		<-r.Context().Done()
		return
	}
	if strings.HasSuffix(r.URL.Path, "/Calls.json") {
		kind = "CA"
	}
	maps.Copy(w.Header(), next.header)
	w.Header().Set("Content-Type", "application/json")
	if next.status == 0 {
		next.status, next.body = http.StatusCreated, fmt.Sprintf(`{"sid":"%s%032x","status":"queued","error_code":null,"num_segments":"1"}`, kind, sid)
	}
	w.WriteHeader(next.status)
	_, _ = io.WriteString(w, next.body)
}

func (u *upstream) script(answers ...answer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.answers = answers
}

func (u *upstream) requests() []asked {
	u.mu.Lock()
	defer u.mu.Unlock()
	return append([]asked(nil), u.all...)
}

// last returns the last request.
func (u *upstream) last(t testing.TB) asked {
	t.Helper()
	all := u.requests()
	if len(all) == 0 {
		t.Fatal("Twilio read no request")
	}
	return all[len(all)-1]
}

// dial connects to the double whatever the address.
func (u *upstream) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	return (&net.Dialer{}).DialContext(ctx, network, u.server.Listener.Addr().String())
}

// desk takes receipts.
type desk struct {
	mu     sync.Mutex // guards what follows
	all    []delivery.Receipt
	broken bool
	log    bytes.Buffer
}

func (d *desk) receive(_ context.Context, r delivery.Receipt) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.broken {
		return false, errors.New("the store is away")
	}
	d.all = append(d.all, r)
	return true, nil
}

func (d *desk) received() []delivery.Receipt {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]delivery.Receipt(nil), d.all...)
}

func (d *desk) count() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.all)
}

func (d *desk) Write(p []byte) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.Write(p)
}

func (d *desk) lines() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// started is a carrier at a double of Twilio.
type started struct {
	*twilio.Carrier
	*upstream
	*desk
}

// start starts a carrier; change may change what it is made of.
func start(t testing.TB, change func(*twilio.Config, *twilio.Deps)) started {
	t.Helper()
	s := started{upstream: newUpstream(t), desk: &desk{}}
	cfg, deps := config(), twilio.Deps{
		Receive: s.receive, Log: slog.New(slog.NewTextHandler(s.desk, nil)), Now: clock,
		HTTP: httpsubmit.Options{Dial: s.dial}, ReceiptURL: publicURL, Random: strings.NewReader(strings.Repeat("nonce", 100)),
	}
	if change != nil {
		change(&cfg, &deps)
	}
	c, err := twilio.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = c.Run(running)
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
	s.Carrier = c
	return s
}

func (s started) submit(t testing.TB, m delivery.Message) delivery.Result {
	t.Helper()
	return s.Submit(t.Context(), m)
}

// sign makes Twilio's signature as its documentation describes it, for forms
// with one value a name.
func sign(token, address string, form url.Values) string {
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	sort.Strings(names)
	mac := hmac.New(sha1.New, []byte(token))
	_, _ = io.WriteString(mac, address)
	for _, name := range names {
		_, _ = io.WriteString(mac, name+form.Get(name))
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// call is a callback or a fetch from Twilio.
type call struct {
	method    string // POST by default
	target    string // public URL with query
	body      string
	kind      string // content type; a form's by default
	signature string
}

// post has the carrier answer a callback.
func post(t testing.TB, c *twilio.Carrier, p call) *httptest.ResponseRecorder {
	t.Helper()
	if p.method == "" {
		p.method = http.MethodPost
	}
	r := httptest.NewRequestWithContext(t.Context(), p.method, strings.Replace(p.target, "https://otp.example.com", "http://10.0.0.7:8080", 1), strings.NewReader(p.body))
	r.Header.Set("Content-Type", cmp.Or(p.kind, "application/x-www-form-urlencoded"))
	if p.signature != "" {
		r.Header.Set("X-Twilio-Signature", p.signature)
	}
	w := httptest.NewRecorder()
	c.Receipts().ServeHTTP(w, r)
	return w
}

// tell sends a signed status callback to the usual URL.
func tell(t testing.TB, c *twilio.Carrier, form url.Values) *httptest.ResponseRecorder {
	t.Helper()
	target := publicURL + "?d=" + dedupe
	return post(t, c, call{target: target, body: form.Encode(), signature: sign(token, target, form)})
}

// withoutFragment is what of a URL reaches a server.
func withoutFragment(address string) string {
	address, _, _ = strings.Cut(address, "#")
	return address
}
