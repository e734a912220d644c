package tyntecv4_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/admission"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/guard"
	"github.com/countersign/countersign/internal/store/testdb"
	"github.com/countersign/countersign/internal/verify"
)

// operations are those of the document, with ids of nothing in their paths.
func operations(t *testing.T) map[string][]string {
	t.Helper()
	doc, err := document()
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for path, item := range doc.Paths.Map() {
		for _, name := range []string{"{otp-id}", "{id}", "{profile-id}", "{template-id}", "{template-name}"} {
			path = strings.ReplaceAll(path, name, "7b0a5f3c-52a9-4c0e-9d1e-0f6d6f1f0a11")
		}
		for method := range item.Operations() {
			all[strings.TrimPrefix(path, "/2fa/v4")] = append(all[strings.TrimPrefix(path, "/2fa/v4")], method)
		}
	}
	return all
}

// K-02: every route and every kind of credential.
func TestEveryOperationOfTheDocumentAsksForAKey(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	ctx := t.Context()
	for name, k := range map[string]account.Key{
		"revoked": {ID: "revoked", Account: "a", Revoked: h.clock.Now()},
		"expired": {ID: "expired", Account: "a", Expires: h.clock.Now()},
		"blocked": {ID: "blocked", Account: "blocked"},
	} {
		if name == "blocked" {
			h.must(h.store.CreateAccount(ctx, account.Account{Name: "blocked"}))
		}
		k.Hash = account.HashKey(name)
		h.must(h.store.CreateKey(ctx, k))
	}
	h.must(h.store.SetSuspended(ctx, "blocked", true))
	count := 0
	for path, methods := range operations(t) {
		for _, method := range append([]string{http.MethodPut}, methods...) {
			count++
			h.do(method, path, "", header{"apiKey", ""}).ua()
			for _, key := range []string{"nope", "revoked", "expired", "blocked", "key-a, key-a"} {
				h.do(method, path, "", header{"apiKey", key}).fb()
			}
			answer := h.do(method, path, "", header{"apiKey", "key-a"})
			if answer.code == http.StatusUnauthorized || answer.code == http.StatusForbidden && answer.text("title") == "Forbidden" {
				t.Errorf("%s %s with a good key: %d %s", method, path, answer.code, answer.body)
			}
		}
	}
	const published, aliases = 42, 2
	if count -= len(operations(t)); count != published+aliases {
		t.Errorf("the document has %d operations, the contract %d", count, published+aliases)
	}
}

func TestOtherMethodsAreRefusedOnEveryPath(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	for path, methods := range operations(t) {
		known := strings.Join(methods, " ")
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "BREW"} {
			answer := h.do(method, path, "")
			if (answer.code == http.StatusMethodNotAllowed) == strings.Contains(known, method) {
				t.Errorf("%s %s: %d %s; the document has %s", method, path, answer.code, answer.body, known)
			}
		}
	}
}

func TestOnlyPathsOfTheContractExist(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	for _, path := range []string{
		"", "/", "/otp//", "/otp//validate", "//otp", "/otp/x/y", "/OTP", "/otp/../otp", "/configuration/callbacks",
		"/configuration/channels/whatsapp", "/profiles/x/templates/y/z", "/templates/email", "/otp%2Fx",
	} {
		h.get(path).pr(http.StatusNotFound)
	}
	h.get("/priorities/?name=x").status(http.StatusOK)
}

func TestTheFirstGateThatRefusesAnswers(t *testing.T) {
	t.Parallel()
	h := start(t)
	const id = "2c1b0a99-8877-4665-9544-332211000fff"
	text, big := header{"Content-Type", "text/plain"}, `{"x":"`+strings.Repeat("x", 70<<10)+`"}`
	h.do(http.MethodPost, "/nothing", `{`, header{"apiKey", ""}).ua()
	h.do(http.MethodPost, "/nothing", `{`, text).pr(http.StatusNotFound)
	h.do(http.MethodPut, "/priorities", `{`, text).pr(http.StatusMethodNotAllowed)
	h.post("/priorities", big, text).pr(http.StatusUnsupportedMediaType)
	h.post("/priorities", big[:66<<10]).pr(http.StatusRequestEntityTooLarge)
	h.patch("/priorities/"+id, `{"name":{},"channelPriority":[{},{},{}]}`).br()
	h.patch("/priorities/"+id, `{"name":" "}`).cv("name")
	h.patch("/priorities/"+id, `{"name":"sms-only"}`).nr(id)
	h.patch("/priorities/not-a-uuid", `{"name":"sms-only"}`).nr("not-a-uuid")
	whatsApp := `{"channels":[{"type":"WHATSAPP","templates":[{"name":"x"}]},{"type":"SMS","templates":[{"name":"ghost"}]}]}`
	h.post("/profiles/"+id+"/templates", whatsApp).nr(id)
	h.post("/profiles/"+h.P1+"/templates", whatsApp).mw()
	h.patch("/profiles/"+h.P1, whatsApp).mw()
	h.post("/profiles/"+h.P1+"/templates", `{"channels":[{"type":"SMS","templates":[{"name":"login_sms_en"},{"name":"ghost"}]}]}`).
		cv("channels[0].templates[1].name")
	h.patch("/configurations/callbacks/"+id, `{"url":"https://x.example/","profileId":"`+id+`"}`).nr(id)
	h.patch("/configurations/callbacks/nope", `{"profileId":"nope"}`).cv("id", "profileId", "url")
	h.post("/otp/not-a-uuid/validate", `{"otpCode":"123"}`).cv("otpCode")
	h.post("/otp/not-a-uuid/validate", `{"otpCode":"1234"}`).nr("not-a-uuid")
}

// Contract v4 §3.2: 413 is every operation's.
func TestABodyThatNobodyReadsMayBeNoLargerThanOthers(t *testing.T) {
	t.Parallel()
	h := start(t)
	id := h.accepted("")
	fits, big := strings.Repeat("x", 64<<10), strings.Repeat("x", 64<<10+1)
	for path, methods := range operations(t) {
		for _, method := range methods {
			if method == http.MethodGet || method == http.MethodDelete {
				h.do(method, path, big).pr(http.StatusRequestEntityTooLarge)
			}
		}
	}
	h.do(http.MethodDelete, "/otp/"+id, big).pr(http.StatusRequestEntityTooLarge)
	h.do(http.MethodDelete, "/otp/"+id, big, header{"apiKey", ""}).ua()
	h.do(http.MethodPut, "/otp/"+id, big).pr(http.StatusMethodNotAllowed)
	h.do(http.MethodGet, "/otp/"+id, fits).status(http.StatusOK)
	h.do(http.MethodDelete, "/otp/"+id, fits).empty(http.StatusOK)
	h.get("/otp/" + id).nr(id)
}

func TestLimitsOnARecipientComeLast(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{rules: guard.Compat(1)})
	h.accepted("")
	h.send("").pr(http.StatusTooManyRequests)
	h.send(`{"profileName":"ghost"}`).cv("profileName")
	h.send(`{"to":"+4915100000000"}`).status(http.StatusAccepted)
}

func TestAThrottledKeyWaits(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{config: func(c *tyntecv4.Config) {
		c.Admit = func(k account.Key) time.Duration {
			if k.ID == "a" {
				return 1500 * time.Millisecond
			}
			return 0
		}
	}})
	r := h.get("/nothing").pr(http.StatusTooManyRequests)
	equal(t, "Retry-After", r.header.Get("Retry-After"), "2")
	h.get("/otp", header{"apiKey", "key-b"}).status(http.StatusOK)
	h.get("/otp", header{"apiKey", "nope"}).fb()
}

func TestWhatWouldWaitTooLongIsRefusedUnread(t *testing.T) {
	t.Parallel()
	for _, full := range []admission.Work{admission.Send, admission.Check} {
		t.Run(full.String(), func(t *testing.T) {
			t.Parallel()
			h := newServer(t, options{config: func(c *tyntecv4.Config) {
				c.Room = func(w admission.Work) error {
					if w == full {
						return verify.ErrOverloaded
					}
					return nil
				}
			}})
			for path, work := range map[string]admission.Work{
				"/otp": admission.Send, "/otp/" + uuid.NewString() + "/validate": admission.Check, "/priorities": admission.Other,
			} {
				r := h.post(path, `{`)
				if work != full {
					r.status(http.StatusBadRequest)
					continue
				}
				r.pr(http.StatusServiceUnavailable)
				equal(t, "Retry-After", r.header.Get("Retry-After"), "1")
			}
			h.post("/otp", `{`, header{"apiKey", "nope"}).fb()
		})
	}
}

func TestAKeyInTheQueryCountsOnlyWhereAllowed(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{config: func(c *tyntecv4.Config) { c.AllowQueryKey = true }})
	none := header{"apiKey", ""}
	h.get("/otp?apiKey=key-a&to=", none, asLenient()).status(http.StatusOK)
	h.get("/otp?apiKey=nope", none).fb()
	h.get("/otp?apiKey=nope", asLenient()).status(http.StatusOK) // the header counts
	h.get("/otp?apiKey=", none).ua()
}

func TestMediaTypesThatAreJSON(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	for media, ok := range map[string]bool{
		"": true, "application/json": true, "Application/JSON": true, "application/json; charset=utf-8": true,
		`application/json;charset="UTF-8"`: true, "application/json; version=1": true,
		"application/json; charset=latin1": false, "application/problem+json": false, "application/x-www-form-urlencoded": false,
		"json": false, "application/json; charset": false,
	} {
		r := h.post("/priorities", `{}`, header{"Content-Type", media})
		if ok {
			r.cv("channelPriority", "name")
		} else {
			r.pr(http.StatusUnsupportedMediaType)
		}
	}
}

func TestErrorsAreProblemJSONOnlyWhereAcceptNamesIt(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	for accept, want := range map[string]string{
		"": "application/json", "*/*": "application/json", "application/*": "application/json", "text/html": "application/json",
		"application/json": "application/json", "application/problem+json": "application/problem+json",
		"application/json, Application/Problem+JSON;q=0.5": "application/problem+json",
		"application/problem+j\u017fon":                    "application/json", // a long s
	} {
		got := h.get("/nothing", header{"Accept", accept}).pr(http.StatusNotFound).header.Get("Content-Type")
		equal(t, "media type for Accept "+accept, got, want)
		got = h.get("/otp", header{"Accept", accept}).status(http.StatusOK).header.Get("Content-Type")
		equal(t, "media type of a result for Accept "+accept, got, "application/json")
	}
}

func TestABodyThatBreaksOffIsUnreadable(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	var d net.Dialer
	conn, err := d.DialContext(t.Context(), "tcp", h.server.Listener.Addr().String())
	h.must(err)
	defer conn.Close()
	_, err = fmt.Fprintf(conn, "POST /2fa/v4/otp HTTP/1.1\r\nHost: x\r\napiKey: key-a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
	h.must(err)
	var got [12]byte
	_, err = conn.Read(got[:])
	h.must(err)
	if !bytes.Equal(got[:], []byte("HTTP/1.1 400")) {
		t.Errorf("answer %q, want 400", got)
	}
}

// broken fails where a test wants it to.
type broken struct {
	testdb.Store
	err error
}

func (b *broken) CreateOTP(context.Context, verify.NewOTP) (verify.Record, error) {
	return verify.Record{}, b.err
}

func (b *broken) Templates(context.Context, string) ([]catalog.Template, error) { return nil, b.err }

func TestFailuresOfTheStoreSayNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		err    error
		status int
		retry  string
		logged int
	}{
		{"unexpected", errors.New("disk image is malformed: +4915112345678 483920"), http.StatusInternalServerError, "", 1},
		{"overloaded", verify.ErrOverloaded, http.StatusServiceUnavailable, "1", 0},
		{"unavailable", fmt.Errorf("write: %w", verify.ErrUnavailable), http.StatusServiceUnavailable, "5", 0},
		{"unknown", verify.ErrOutcomeUnknown, http.StatusServiceUnavailable, "1", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := &broken{}
			h := startWith(t, options{store: func(s testdb.Store) (verify.Store, catalog.Store) {
				b.Store = s
				return b, &unbroken{b}
			}})
			b.err = c.err
			for _, r := range []*response{h.send(`{"otpCode":"483920"}`), h.get("/templates")} {
				r.pr(c.status)
				equal(t, "Retry-After", r.header.Get("Retry-After"), c.retry)
				if strings.Contains(string(r.body), "malformed") {
					t.Errorf("the answer tells the cause: %s", r.body)
				}
			}
			for _, route := range []string{`route="POST /2fa/v4/otp"`, `route="GET /2fa/v4/templates"`} {
				if n := strings.Count(h.log.String(), route); n != c.logged {
					t.Errorf("logged %d times with %s, want %d:\n%s", n, route, c.logged, h.log)
				}
			}
		})
	}
}

// unbroken is broken once err is set: the fixtures need the store.
type unbroken struct{ *broken }

func (u *unbroken) Templates(ctx context.Context, account string) ([]catalog.Template, error) {
	if u.err == nil {
		return u.Store.Templates(ctx, account)
	}
	return u.broken.Templates(ctx, account)
}
