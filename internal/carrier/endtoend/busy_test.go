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

const (
	twilioToken   = "0123456789abcdef0123456789abcdef"
	twilioAccount = "AC00000000000000000000000000000000"
)

// twilio starts a server with a carrier at a double of Twilio, which gives the nth
// request the id that sid returns for n, or a gateway's time-out for "".
func twilio(t *testing.T, sid func(n int64) string) (*journey, <-chan asked, *atomic.Int64) {
	t.Helper()
	var n atomic.Int64
	base, got := upstream(t, func(w http.ResponseWriter, _ *http.Request, _ string) {
		id := sid(n.Add(1))
		if id == "" {
			w.WriteHeader(http.StatusGatewayTimeout)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusCreated)
		_, _ = fmt.Fprintf(w, `{"sid":%q,"status":"queued"}`, id)
	})
	j := travel(t, "[[carrier]]\nname = \"phone\"\ntype = \"twilio\"\naccount_sid = \""+twilioAccount+"\"\nauth_token = \"env:TOKEN\"\n"+
		"from = \"+15005550006\"\ncaller = \"+15005550006\"\nbase_url = \""+base+"\"\n",
		append(public(t), "TOKEN="+twilioToken)...)
	return j, got, &n
}

// posted waits for the next request for a resource of Twilio's and returns its
// form.
func posted(t *testing.T, got <-chan asked, resource string) url.Values {
	t.Helper()
	sent, err := url.ParseQuery(next(t, got, "POST /2010-04-01/Accounts/"+twilioAccount+resource).body)
	if err != nil || sent.Get("StatusCallback") == "" {
		t.Fatalf("Twilio read %v, %v; want a status callback's URL", sent, err)
	}
	return sent
}

// callback sends a signed status callback about what was posted.
func (j *journey) callback(sent, form url.Values) {
	j.t.Helper()
	address, _, _ := strings.Cut(sent.Get("StatusCallback"), "#")
	mac := hmac.New(sha1.New, []byte(twilioToken))
	mac.Write([]byte(address))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		mac.Write([]byte(name + form.Get(name)))
	}
	header := http.Header{
		"Content-Type": {"application/x-www-form-urlencoded"}, "X-Twilio-Signature": {base64.StdEncoding.EncodeToString(mac.Sum(nil))},
	}
	if got := j.report("POST", address, header, form.Encode()); got != http.StatusOK {
		j.t.Errorf("%v is answered with %d; want 200", form, got)
	}
}

// TestABusyPhoneIsCalledOnceMoreOverTwilio waits the 20 s for which a busy line is
// left alone. It makes no difference whether the answers to the calls were lost.
func TestABusyPhoneIsCalledOnceMoreOverTwilio(t *testing.T) {
	t.Parallel()
	sid := func(n int64) string { return fmt.Sprintf("CA%032d", n) }
	for name, lost := range map[string][]int64{
		"both answers came":  {},
		"the first was lost": {1},
		"the second was":     {2},
		"both were lost":     {1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			j, got, calls := twilio(t, func(n int64) string {
				if slices.Contains(lost, n) {
					return ""
				}
				return sid(n)
			})
			otp := j.send("voice")
			first := posted(t, got, "/Calls.json")
			j.told(otp, "DISPATCHED")
			busyAt := time.Now()
			busy := url.Values{"CallSid": {sid(1)}, "CallStatus": {"busy"}}
			j.callback(first, busy)
			second := posted(t, got, "/Calls.json")
			if waited := time.Since(busyAt); waited < 20*time.Second {
				t.Errorf("the second call came after %v; want 20 s at least", waited)
			}
			if where, _, _ := strings.Cut(first.Get("StatusCallback"), "#"); second.Get("To") != first.Get("To") || !strings.HasPrefix(second.Get("StatusCallback"), where) {
				t.Errorf("the second call is %v; want the first's number and delivery, %v", second, first)
			}
			j.callback(first, busy) // Twilio says so twice
			j.callback(second, url.Values{"CallSid": {sid(2)}, "CallStatus": {"completed"}, "CallDuration": {"20"}})
			j.told(otp, "DISPATCHED", "DELIVERED")
			if n := calls.Load(); n != 2 {
				t.Errorf("%d calls; want 2", n)
			}
		})
	}
}
