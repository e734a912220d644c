package server_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/server"
)

func acme(d *server.Deployment) account.Account {
	return account.Account{Name: "acme", Created: d.Store.Now()}
}

func TestARunningServerCountsWhatItDoesWithoutPersonalData(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t), "COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true")
	r.configure()
	r.must(201, "POST", "/2fa/v4/configurations/callbacks", `{"url":"http://127.0.0.1:1/nobody"}`)
	otp := r.send("+4915112345678")
	code := sixDigits.FindString(r.inbox(otp, 1)[0].Text)
	r.validate(otp, code)
	// An OTP that nobody knows.
	r.must(404, "POST", "/2fa/v1/otp/0f4f7bd0-9d5f-4f2c-8d61-0b9a4c1b7c11/check?otpCode=123456", "")
	r.must(404, "POST", "/2fa/v1/otp/0f4f7bd0-9d5f-4f2c-8d61-0b9a4c1b7c11", "")
	want := []string{
		`countersign_sends_total{channel="SMS",origin="v4",result="accepted"} 1`,
		`countersign_checks_total{origin="v4",outcome="verified"} 1`,
		`countersign_checks_total{origin="v1",outcome="not_found"} 1`,
		`countersign_deliveries_total{carrier="sandbox",channel="SMS",result="accepted"} 1`,
		`countersign_receipts_total{carrier="sandbox",known="true",state="delivered"} 1`,
		`countersign_http_requests_total{route="POST /2fa/v4/otp/{otp-id}/validate",status="200"} 1`,
		`countersign_callback_queue_depth 2`, // DISPATCHED and DELIVERED, to nobody
		`countersign_delivery_queue_depth 0`,
	}
	lacking := func() (out []string) {
		text := r.must(200, "GET", r.admin+"/metrics", "")
		for _, line := range want {
			if !strings.Contains(text, line+"\n") {
				out = append(out, line)
			}
		}
		if !strings.Contains(text, `countersign_callbacks_total{result="retry"}`) {
			out = append(out, "a callback that is to be tried again")
		}
		return out
	}
	eventually(t, "metrics show what was done", func() bool { return len(lacking()) == 0 }, func() string { return strings.Join(lacking(), "\n") })

	text := r.must(200, "GET", r.admin+"/metrics", "")
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		if !strings.HasPrefix(strings.TrimPrefix(strings.TrimPrefix(line, "# HELP "), "# TYPE "), "countersign_") {
			t.Errorf("a name that does not begin countersign_: %s", line)
		}
	}
	if strings.Contains(text, otp) || strings.Contains(text, "4915112345678") || strings.Contains(text, "default") {
		t.Error("metrics hold an id, a number or an account")
	}
}

func TestTheAdminAddressIsNotTheAPIs(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t))
	r.must(200, "GET", r.admin+"/debug/pprof/cmdline", "")
	for _, path := range []string{"/metrics", "/debug/pprof/"} {
		r.must(404, "GET", path, "")
	}
	r.must(404, "GET", r.admin+"/2fa/v4/otp", "")
}

func TestProfilingIsOffWhileOthersReachTheAdminAddress(t *testing.T) {
	t.Parallel()
	r := start(t, fresh(t), "COUNTERSIGN_ADMIN_LISTEN=0.0.0.0:0")
	local := strings.NewReplacer("[::]", "127.0.0.1", "0.0.0.0", "127.0.0.1").Replace(r.admin)
	r.must(200, "GET", local+"/metrics", "")
	r.must(404, "GET", local+"/debug/pprof/", "")
}

func TestWithoutAnAdminAddressThereIsNone(t *testing.T) {
	t.Parallel()
	if r := start(t, fresh(t), "COUNTERSIGN_ADMIN_LISTEN="); r.admin != "" {
		t.Errorf("metrics are at %s; want nowhere", r.admin)
	}
}

func TestAThrottledKeyMayMakeAHundredCallsAMinute(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	r := start(t, dir)
	plain := r.key
	r.key = newKey(t, dir, true)
	for i := range 100 {
		if status, body := r.call(http.MethodGet, "/2fa/v4/otp", ""); status != 200 {
			t.Fatalf("call %d = %d %s; want 200", i+1, status, body)
		}
	}
	r.must(429, "GET", "/2fa/v4/otp", "")
	r.key = plain
	r.must(200, "GET", "/2fa/v4/otp", "")
}
