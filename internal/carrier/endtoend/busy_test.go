package endtoend_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// TestABusyPhoneIsCalledOnceMoreOverTwilio waits the 20 s for which a busy line is
// left alone.
func TestABusyPhoneIsCalledOnceMoreOverTwilio(t *testing.T) {
	t.Parallel()
	const token = "0123456789abcdef0123456789abcdef"
	account := "AC" + strings.Repeat("0", 32)
	sid := func(n int64) string { return fmt.Sprintf("CA%032d", n) }
	var calls atomic.Int64
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"sid":%q,"status":"queued"}`, sid(calls.Add(1)))
	})
	j := travel(t, "[[carrier]]\nname = \"phone\"\ntype = \"twilio\"\naccount_sid = \""+account+"\"\nauth_token = \"env:TOKEN\"\ncaller = \"+15005550006\"\nbase_url = \""+base+"\"\n",
		append(public(t), "TOKEN="+token)...)
	tell := func(sent, form url.Values) {
		t.Helper()
		mac := hmac.New(sha1.New, []byte(token))
		mac.Write([]byte(sent.Get("StatusCallback")))
		for _, name := range slices.Sorted(maps.Keys(form)) {
			mac.Write([]byte(name + form.Get(name)))
		}
		header := http.Header{
			"Content-Type": {"application/x-www-form-urlencoded"}, "X-Twilio-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))},
		}
		if got := j.report("POST", sent.Get("StatusCallback"), header, form.Encode()); got != http.StatusOK {
			t.Errorf("%v is answered with %d; want 200", form, got)
		}
	}
	call := func() url.Values {
		t.Helper()
		sent, err := url.ParseQuery(next(t, got, "POST /2010-04-01/Accounts/"+account+"/Calls.json").body)
		if err != nil || sent.Get("Url") == "" {
			t.Fatalf("Twilio read %v, %v; want a call", sent, err)
		}
		return sent
	}
	otp := j.send("voice")
	first := call()
	j.told(otp, "DISPATCHED")
	busyAt := time.Now()
	tell(first, url.Values{"CallSid": {sid(1)}, "CallStatus": {"busy"}})
	second := call()
	if waited := time.Since(busyAt); waited < 20*time.Second {
		t.Errorf("the second call came after %v; want 20 s at least", waited)
	}
	if second.Get("To") != first.Get("To") || second.Get("StatusCallback") != first.Get("StatusCallback") {
		t.Errorf("the second call is %v; want the first's number and delivery, %v", second, first)
	}
	tell(second, url.Values{"CallSid": {sid(2)}, "CallStatus": {"completed"}, "CallDuration": {"20"}})
	j.told(otp, "DISPATCHED", "DELIVERED")
	if n := calls.Load(); n != 2 {
		t.Errorf("%d calls; want 2", n)
	}
}
