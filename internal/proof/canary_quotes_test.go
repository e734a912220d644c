package proof_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// quoter is a gateway that refuses everything as not authorised and names as the
// error what it got, with dashes and in capitals: at /code the code, at /number
// the number as it is dialled at home.
type quoter struct {
	mu   sync.Mutex // guards said
	said []string
}

func (q *quoter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var got struct {
		To   string `json:"to"`
		Code string `json:"code"`
	}
	if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	text := got.Code
	if r.URL.Path == "/number" {
		text = "0" + strings.TrimPrefix(got.To, "+49")
	}
	var groups []string
	for group := range slices.Chunk([]byte(strings.ToUpper(text)), 3) {
		groups = append(groups, string(group))
	}
	text = strings.Join(groups, "-")
	q.mu.Lock()
	q.said = append(q.said, text)
	q.mu.Unlock()
	w.WriteHeader(http.StatusUnauthorized)
	_, _ = fmt.Fprintf(w, `{"error":%q}`, text)
}

func (q *quoter) quoted() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.said)
}

func TestWhatAGatewayQuotesIsNeitherLoggedNorKeptNorToldToOthers(t *testing.T) {
	t.Parallel()
	a := &aviary{t: t, secrets: map[string]string{}, numbers: map[string]string{}, kept: map[string]string{}, places: map[string][]byte{}}
	q := &quoter{}
	gateway := httptest.NewServer(q)
	defer gateway.Close()
	hooks := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&body)
		a.put("callbacks", body)
	}))
	defer hooks.Close()
	var settings strings.Builder
	for _, name := range []string{"code", "number"} {
		fmt.Fprintf(&settings, "[[carrier]]\nname = %q\ntype = \"request\"\nurl = \"%s/%s\"\nbody = '{\"to\":\"{to}\",\"code\":\"{code}\"}'\n"+
			"include_code = true\nerror_pointer = \"/error\"\nallow_private = true\n", name, gateway.URL, name)
	}
	settings.WriteString("[[route]]\nchannels = [\"SMS\"]\ncarriers = [\"code\", \"number\"]\n")
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "countersign.toml")
	if err := os.WriteFile(path, []byte(settings.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, dir, "COUNTERSIGN_LOG_LEVEL=debug", "COUNTERSIGN_CONFIG="+path, "COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true")
	p.configure(3)
	p.must(202, "POST", "/2fa/v4/otp", sendBody(a.number("0000"), a.code("an account's")))
	until(t, p, "both carriers need the operator", func() bool {
		return strings.Count(p.log.String(), "a carrier needs the operator") == 2
	})

	// Another account meets what the carriers answered before.
	command(t, dir, "", "account", "create", "other")
	p.key = strings.TrimSpace(a.reveal(dir, "key", "create", "--account", "other"))
	p.configure(3)
	p.must(201, "POST", "/2fa/v4/configurations/callbacks", fmt.Sprintf(`{"url":"%s/"}`, hooks.URL))
	p.must(202, "POST", "/2fa/v4/otp", sendBody(a.number("0000"), a.code("another account's")))
	until(t, p, "the other account is told", func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return strings.Contains(string(a.places["callbacks"]), "UNDELIVERABLE")
	})
	p.stop()
	a.files(dir, "after the stop")
	a.put("log", []byte(p.log.String()))

	said := q.quoted()
	if len(said) != 2 {
		t.Fatalf("the gateway quoted %q; want the first message's code and number", said)
	}
	for place, b := range a.places {
		for _, text := range said {
			if strings.Contains(string(b), text) {
				t.Errorf("%s, which the gateway said, is in %s", text, place)
			}
		}
	}
}

// until waits for what happens soon.
func until(t *testing.T, p *process, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it did not come that %s\n%s", what, p.log)
		}
	}
}
