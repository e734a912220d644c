package tyntecv1_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Paths and parameters that stories begin with.
const (
	otps         = "/2fa/v1/otp"
	applications = "/2fa/v1/application"
	toMobile     = "number=%2B447400123456"
	toFixed      = "number=%2B442079460123"
)

// with changes a request.
type with func(*http.Request)

// header sets a header, spelled as it is; without values it takes it away.
func header(name string, values ...string) with {
	return func(r *http.Request) {
		for spelling := range r.Header {
			if strings.EqualFold(spelling, name) {
				delete(r.Header, spelling)
			}
		}
		if len(values) > 0 {
			r.Header[name] = values
		}
	}
}

// content sets a body of a media type; "" for none.
func content(media, body string) with {
	return func(r *http.Request) {
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
		if media != "" {
			r.Header.Set("Content-Type", media)
		}
	}
}

func jsonBody(body string) with { return content("application/json", body) }
func form(body string) with     { return content("application/x-www-form-urlencoded", body) }
func key(k string) with         { return header("apiKey", k) }
func noKey() with               { return header("apiKey") }

// call makes a request with the key k1 and lets the dispatcher do what is due.
func (h *harness) call(method, target string, with ...with) *answer {
	h.t.Helper()
	a := h.raw(method, target, with...)
	h.settle()
	return a
}

// raw is call without the dispatcher, so that it can be used in parallel.
func (h *harness) raw(method, target string, with ...with) *answer {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.server.URL+target, http.NoBody)
	h.must(err)
	r.Header["apiKey"] = []string{k1}
	for _, w := range with {
		w(r)
	}
	got, err := h.client.Do(r)
	h.must(err)
	defer got.Body.Close()
	body, err := io.ReadAll(got.Body)
	h.must(err)
	return &answer{h.t, method + " " + target, got.StatusCode, got.Header, body}
}

func (h *harness) get(target string, with ...with) *answer {
	h.t.Helper()
	return h.call(http.MethodGet, target, with...)
}

func (h *harness) post(target string, with ...with) *answer {
	h.t.Helper()
	return h.call(http.MethodPost, target, with...)
}

func (h *harness) delete(target string, with ...with) *answer {
	h.t.Helper()
	return h.call(http.MethodDelete, target, with...)
}

// send sends an OTP with these parameters and returns its id.
func (h *harness) send(query string, with ...with) string {
	h.t.Helper()
	return h.post(otps+"?"+query, with...).otp("ACTIVE", 0, 200).text("otpId")
}

// sendSMS sends an OTP to the mobile and returns its id and code.
func (h *harness) sendSMS(query string) (id, code string) {
	h.t.Helper()
	before := len(h.sms.messages())
	id = h.send(toMobile + query)
	return id, h.last(h.sms, before+1).Code.Reveal()
}

// check checks a code.
func (h *harness) check(id, code string) *answer {
	h.t.Helper()
	return h.post(otps + "/" + id + "/check?otpCode=" + code)
}

// wrong returns a code of the same length and digits that is not code.
func wrong(code string) string {
	last := code[len(code)-1]
	return code[:len(code)-1] + string('0'+(last-'0'+1)%10)
}

// answer is an answer with what is wanted of it.
type answer struct {
	t       *testing.T
	request string
	status  int
	header  http.Header
	body    []byte
}

func (a *answer) is(status int) *answer {
	a.t.Helper()
	if a.status != status {
		a.t.Fatalf("%s\n→ %d %s\nwant %d", a.request, a.status, a.body, status)
	}
	return a
}

// object returns the body, a JSON object.
func (a *answer) object() map[string]any {
	a.t.Helper()
	var o map[string]any
	if err := json.Unmarshal(a.body, &o); err != nil || o == nil {
		a.t.Fatalf("%s\n→ %d %s\nwant an object", a.request, a.status, a.body)
	}
	return o
}

// list returns the body, a JSON array of objects.
func (a *answer) list() []map[string]any {
	a.t.Helper()
	a.is(http.StatusOK)
	var all []map[string]any
	if err := json.Unmarshal(a.body, &all); err != nil || all == nil {
		a.t.Fatalf("%s\n→ %s\nwant an array", a.request, a.body)
	}
	return all
}

func (a *answer) text(name string) string {
	a.t.Helper()
	s, ok := a.object()[name].(string)
	if !ok {
		a.t.Fatalf("%s\n→ %d %s\nhas no string %q", a.request, a.status, a.body, name)
	}
	return s
}

// has wants these members of the body: name, value, ….
func (a *answer) has(members ...any) *answer {
	a.t.Helper()
	o := a.object()
	for i := 0; i < len(members); i += 2 {
		name, _ := members[i].(string)
		got, there := o[name]
		want := members[i+1]
		if n, ok := want.(int); ok {
			want = float64(n)
		}
		if diff := cmp.Diff(want, got); diff != "" || !there {
			a.t.Errorf("%s\n→ %d %s\n%s (-want +got):\n%s", a.request, a.status, a.body, name, diff)
		}
	}
	return a
}

// otp wants an OTP in this state.
func (a *answer) otp(state string, attempts, status int) *answer {
	a.t.Helper()
	return a.is(status).has("otpStatus", state, "attemptCount", attempts)
}

// refused wants an error.
func (a *answer) refused(status int, code string) *answer {
	a.t.Helper()
	a.is(status)
	o := a.object()
	if o["code"] != code || o["otpStatus"] != nil {
		a.t.Fatalf("%s\n→ %d %s\nwant the code %s", a.request, a.status, a.body, code)
	}
	return a
}

// example is one of the contract's acceptance examples.
type example struct {
	name string
	run  func(*harness)
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
