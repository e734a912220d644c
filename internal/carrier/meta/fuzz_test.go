package meta_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/carrier/meta"
)

func FuzzWebhooks(f *testing.F) {
	f.Add(statusOf("wamid.1", "failed"))
	f.Add(told("PAUSED").body)
	f.Add(hook("account_update", `[1,"x",null]`))
	f.Add(`{"object":"page","entry":7}`)
	d := newDesk()
	c, err := meta.New(config(&graph{Server: &httptest.Server{URL: "http://127.0.0.1:1"}}), d.deps())
	noError(f, err)
	h := c.Receipts()
	f.Fuzz(func(t *testing.T, body string) {
		statuses, err := meta.ReadWebhook([]byte(body))
		before := len(d.received())
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Hub-Signature-256", signed(appSecret, body).signature)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if want := map[bool]int{true: http.StatusOK, false: http.StatusBadRequest}[err == nil]; w.Code != want && len(body) <= 256<<10 {
			t.Errorf("%s: status %d; want %d", body, w.Code, want)
		}
		if got := len(d.received()) - before; got > statuses {
			t.Errorf("%s: %d receipts of %d statuses", body, got, statuses)
		}
		r = httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		r.Header.Set("X-Hub-Signature-256", signed("another secret", body).signature)
		w = httptest.NewRecorder()
		if h.ServeHTTP(w, r); w.Code < 400 {
			t.Errorf("%s: status %d for a stranger", body, w.Code)
		}
	})
}

func FuzzListedTemplates(f *testing.F) {
	for _, body := range []string{
		`{"name":"a","components":[{"type":"BUTTONS","buttons":[{"type":"URL","url":"https://www.whatsapp.com/otp/code/?otp_type=ONE_TAP&code_expiration_minutes=99&package_name=a.b"}]}]}`,
		`{"components":[{"type":"footer","code_expiration_minutes":-1},{"type":"buttons","buttons":[{"url":"%zz","otp_type":"zero_tap","supported_apps":[{}]}]}]}`,
		`{"messages":[{"id":"wamid.1"}]}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if id := meta.MessageID(body); len(id) > 512 {
			t.Errorf("an id of %d bytes", len(id))
		}
		var l meta.Listed
		if json.Unmarshal(body, &l) != nil {
			return
		}
		got := l.Template()
		if got.Minutes < 1 || got.Minutes > 90 {
			t.Errorf("%s: %d minutes; want 1 to 90", body, got.Minutes)
		}
		if got.Name != l.Name || got.Language != l.Language || !got.OneTap && got.PackageName+got.SignatureHash != "" {
			t.Errorf("%s: %+v", body, got)
		}
	})
}
