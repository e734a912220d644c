package proof_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// handed is what a gateway is asked to send, and where it is to report.
type handed struct {
	To     string `json:"to"`
	Code   string `json:"code"`
	ID     string `json:"id"`
	Report string `json:"report"`
}

// A receipt may come when nobody knows the code any more: what of it is a quote
// only the database can tell.
func TestWhatAReceiptQuotesIsNeitherLoggedNorKeptNorTold(t *testing.T) {
	t.Parallel()
	a := &aviary{t: t, secrets: map[string]string{}, numbers: map[string]string{}, kept: map[string]string{}, places: map[string][]byte{}}
	accepted := make(chan handed, 10)
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var h handed
		if json.NewDecoder(r.Body).Decode(&h) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		accepted <- h
	}))
	defer gateway.Close()
	hooks := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var body json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&body)
		a.put("callbacks", body)
	}))
	defer hooks.Close()
	dir, path := t.TempDir(), filepath.Join(t.TempDir(), "countersign.toml")
	settings := fmt.Sprintf("[[carrier]]\nname = \"gateway\"\ntype = \"request\"\nurl = %q\ninclude_code = true\nallow_private = true\n"+
		"body = '{\"to\":\"{to}\",\"code\":\"{code}\",\"id\":\"{id}\",\"report\":\"{receipt_url}\"}'\n"+
		"receipt_id = \"id\"\nreceipt_status = \"is\"\nreceipt_reason = \"why\"\nreceipt_delivered = [\"ok\"]\nreceipt_undeliverable = [\"failed\"]\n"+
		"[[route]]\nchannels = [\"SMS\"]\ncarriers = [\"gateway\"]\n", gateway.URL)
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, dir, "COUNTERSIGN_LOG_LEVEL=debug", "COUNTERSIGN_CONFIG="+path, "COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true",
		"COUNTERSIGN_PUBLIC_URL=https://otp.example")
	p.configure(3)
	p.must(201, "POST", "/2fa/v4/configurations/callbacks", fmt.Sprintf(`{"url":"%s/"}`, hooks.URL))
	var said []string
	for i, quote := range []func(handed) string{
		func(h handed) string { return h.Code },
		func(h handed) string { return "0" + strings.TrimPrefix(h.To, "+49") },
	} {
		id := a.send(p, a.number("0000"), a.code(fmt.Sprint("code ", i)), nil)
		var h handed
		select {
		case h = <-accepted:
		case <-time.After(patience):
			t.Fatalf("the gateway got nothing\n%s", p.log)
		}
		said = append(said, quote(h))
		to, err := url.Parse(h.Report)
		if err != nil {
			t.Fatal(err)
		}
		p.must(200, "GET", to.Path+"?is=failed&id="+h.ID+"&why="+url.QueryEscape(quote(h)), "")
		until(t, p, "the account is told", func() bool {
			a.mu.Lock()
			defer a.mu.Unlock()
			return strings.Count(string(a.places["callbacks"]), "tyntec::sms::") > i
		})
		a.call(p, "answers", "GET", "/2fa/v4/otp/"+id, "", nil)
	}
	p.stop()
	a.files(dir, "after the stop")
	a.put("log", []byte(p.log.String()))
	for place, b := range a.places {
		for _, text := range said {
			if strings.Contains(string(b), text) {
				t.Errorf("%s, which a receipt said, is in %s", text, place)
			}
		}
	}
}
