package tyntecv4_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// header sets a header of a request; one with the value "" is left out.
type header struct{ name, value string }

// asLenient is for requests that the server accepts beyond the document.
func asLenient() header { return header{lenient, "yes"} }

func (h *harness) do(method, path, body string, headers ...header) *response {
	h.t.Helper()
	var content io.Reader
	if body != "" {
		content = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.server.URL+"/2fa/v4"+path, content)
	h.must(err)
	r.Header.Set("apiKey", "key-a")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, x := range headers {
		r.Header.Del(x.name)
		if x.value != "" {
			r.Header.Set(x.name, x.value)
		}
	}
	answer, err := h.client.Do(r)
	h.must(err)
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	h.must(err)
	return &response{h.t, method + " " + path + " " + body, answer.StatusCode, answer.Header, got}
}

func (h *harness) get(path string, headers ...header) *response {
	h.t.Helper()
	return h.do(http.MethodGet, path, "", headers...)
}

func (h *harness) post(path, body string, headers ...header) *response {
	h.t.Helper()
	return h.do(http.MethodPost, path, body, headers...)
}

func (h *harness) patch(path, body string) *response {
	h.t.Helper()
	return h.do(http.MethodPatch, path, body)
}

func (h *harness) delete(path string, headers ...header) *response {
	h.t.Helper()
	return h.do(http.MethodDelete, path, "", headers...)
}

// send is SEND with members added or replaced; then the dispatcher does what is
// due.
func (h *harness) send(with string, headers ...header) *response {
	h.t.Helper()
	r := h.post("/otp", sendBody(h.t, with), headers...)
	h.settle()
	return r
}

func sendBody(t testing.TB, with string) string {
	t.Helper()
	members := map[string]json.RawMessage{
		"to": json.RawMessage(`"` + number + `"`), "profileName": json.RawMessage(`"login"`), "priorityName": json.RawMessage(`"sms-only"`),
	}
	if with != "" {
		var more map[string]json.RawMessage
		if err := json.Unmarshal([]byte(with), &more); err != nil {
			t.Fatal(err)
		}
		maps.Copy(members, more)
	}
	body, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// accepted is send of what is accepted; it returns the OTP's id.
func (h *harness) accepted(with string, headers ...header) string {
	h.t.Helper()
	return h.send(with, headers...).status(http.StatusAccepted).text("id")
}

// verdict checks a code and returns the verdict.
func (h *harness) verdict(id, code string) string {
	h.t.Helper()
	return h.post("/otp/"+id+"/validate", `{"otpCode":"`+code+`"}`).status(http.StatusOK).text("otpStatus")
}

// otp wants an OTP's state and number of attempts.
func (h *harness) otp(id, state string, attempts float64) {
	h.t.Helper()
	r := h.get("/otp/" + id).status(http.StatusOK)
	if r.text("otpStatus") != state || r.object()["attemptCount"] != attempts {
		h.t.Errorf("OTP is %s; want %s with %v attempts", r.body, state, attempts)
	}
}

// life returns how long an OTP lives from its creation.
func (h *harness) life(id string) time.Duration {
	h.t.Helper()
	r := h.get("/otp/" + id).status(http.StatusOK)
	created, err := time.Parse(time.RFC3339, r.text("otpCreated"))
	h.must(err)
	expire, err := time.Parse(time.RFC3339, r.text("otpExpire"))
	h.must(err)
	return expire.Sub(created)
}

// response is an answer with what is wanted of it.
type response struct {
	t       *testing.T
	request string
	code    int
	header  http.Header
	body    []byte
}

func decode(body []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	var v any
	err := d.Decode(&v)
	return v, err
}

func (r *response) status(want int) *response {
	r.t.Helper()
	if r.code != want {
		r.t.Fatalf("%s\n→ %d %s\nwant %d", r.request, r.code, r.body, want)
	}
	return r
}

// object returns the body, a JSON object.
func (r *response) object() map[string]any {
	r.t.Helper()
	v, err := decode(r.body)
	o, ok := v.(map[string]any)
	if err != nil || !ok {
		r.t.Fatalf("%s\n→ %d %s\nwant an object", r.request, r.code, r.body)
	}
	return o
}

// list returns the body, a JSON array of objects.
func (r *response) list() []map[string]any {
	r.t.Helper()
	r.status(http.StatusOK)
	if !bytes.HasPrefix(r.body, []byte("[")) {
		r.t.Fatalf("%s\n→ %s\nwant an array", r.request, r.body)
	}
	var all []map[string]any
	if err := json.Unmarshal(r.body, &all); err != nil {
		r.t.Fatalf("%s\n→ %s\nwant an array: %v", r.request, r.body, err)
	}
	return all
}

// members returns one member of every object in the body.
func (r *response) members(name string) []any {
	r.t.Helper()
	all := []any{}
	for _, o := range r.list() {
		all = append(all, o[name])
	}
	return all
}

func (r *response) text(name string) string {
	r.t.Helper()
	s, ok := r.object()[name].(string)
	if !ok {
		r.t.Fatalf("%s\n→ %d %s\nhas no string %q", r.request, r.code, r.body, name)
	}
	return s
}

var uuidForm = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// created wants 201 with an id and returns it.
func (r *response) created() string {
	r.t.Helper()
	id := r.status(http.StatusCreated).text("id")
	if !uuidForm.MatchString(id) || len(r.object()) != 1 {
		r.t.Errorf("%s\n→ %s\nwant one member id, a UUID of version 4", r.request, r.body)
	}
	return id
}

// empty wants a body of no octets.
func (r *response) empty(status int) {
	r.t.Helper()
	r.status(status)
	if len(r.body) != 0 || r.header.Get("Content-Type") != "" {
		r.t.Errorf("%s\n→ %d %q (%s)\nwant an empty body", r.request, r.code, r.body, r.header.Get("Content-Type"))
	}
}

// cv wants a constraint violation of these fields, in this order.
func (r *response) cv(fields ...string) *response {
	r.t.Helper()
	r.status(http.StatusBadRequest)
	got := []string{}
	all, _ := r.object()["violations"].([]any)
	for _, v := range all {
		o, _ := v.(map[string]any)
		field, _ := o["field"].(string)
		if text, _ := o["message"].(string); text == "" {
			r.t.Errorf("%s\n→ %s\nhas a violation without message", r.request, r.body)
		}
		got = append(got, field)
	}
	if diff := cmp.Diff(fields, got); diff != "" || r.text("title") != "Constraint Violation" || r.object()["detail"] != nil {
		r.t.Errorf("%s\n→ %s\nfields of the violations (-want +got):\n%s", r.request, r.body, diff)
	}
	return r
}

// says wants the message of the first violation.
func (r *response) says(text string) {
	r.t.Helper()
	if !strings.Contains(string(r.body), `"message":"`+text+`"`) {
		r.t.Errorf("%s\n→ %s\nwant the violation %q", r.request, r.body, text)
	}
}

// problem wants an error with this title and, beside title, status and detail,
// exactly these members.
func (r *response) problem(status int, title string, members ...string) *response {
	r.t.Helper()
	r.status(status)
	want := map[string]any{"title": title, "status": float64(status)}
	for i := 0; i < len(members); i += 2 {
		want[members[i]] = members[i+1]
	}
	got := r.object()
	if got["detail"] == "" || got["detail"] == nil {
		r.t.Errorf("%s\n→ %s\nwant a detail", r.request, r.body)
	}
	delete(got, "detail")
	if diff := cmp.Diff(want, got); diff != "" {
		r.t.Errorf("%s\n→ %s\nerror (-want +got):\n%s", r.request, r.body, diff)
	}
	return r
}

// The errors of contract v4 §3.1.

func (r *response) br() *response {
	r.t.Helper()
	return r.problem(http.StatusBadRequest, "Bad Request")
}

func (r *response) ua() {
	r.t.Helper()
	r.problem(http.StatusUnauthorized, "Unauthorized")
}

func (r *response) fb() {
	r.t.Helper()
	r.problem(http.StatusForbidden, "Forbidden")
}

func (r *response) mw() {
	r.t.Helper()
	r.problem(http.StatusForbidden, "Missing WhatsApp Configuration")
}

func (r *response) nr(id ...string) {
	r.t.Helper()
	r.problem(http.StatusNotFound, "No Resource Found", named("resourceId", id)...)
}

func (r *response) nt(id ...string) {
	r.t.Helper()
	r.problem(http.StatusNotFound, "No Template Found", named("templateId", id)...)
}

func (r *response) pr(status int) *response {
	r.t.Helper()
	return r.problem(status, http.StatusText(status)) // as in the status line
}

func named(name string, values []string) []string {
	if len(values) == 0 {
		return nil
	}
	return []string{name, values[0]}
}

func equal[T any](t *testing.T, what string, got, want T) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}
