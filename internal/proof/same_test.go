package proof_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// stranger makes another account and returns the server as that account sees
// it.
func stranger(t testing.TB, p *process, dir string) *process {
	t.Helper()
	command(t, dir, "", "account", "create", "other")
	s := p.as(t)
	made := command(t, dir, "", "key", "create", "--account", "other")
	if s.key = made.out; s.key == "" {
		t.Fatalf("no key for the other account: %s", made.log)
	}
	return s
}

func TestAnotherAccountsOTPIsAsUnknownAsNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	p := serve(t, dir)
	p.configure(limit)
	other := stranger(t, p, dir)
	id, err := idOf(p.must(202, "POST", "/2fa/v4/otp", sendBody("+4915112345678", "483920")))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/2fa/v4/otp/", ""},
		{"DELETE", "/2fa/v4/otp/", ""},
		{"POST", "/2fa/v4/otp/%/validate", codeBody("483920")},
		{"POST", "/2fa/v4/otp/%/validate", codeBody("000000")},
		{"POST", "/2fa/v4/otp/%/validate", `{}`},
		{"POST", "/2fa/v4/otp/%/validate", `{"otpCode":`},
		{"PUT", "/2fa/v4/otp/", ""},
		{"GET", "/sandbox/messages?otpId=", ""},
	} {
		answers := map[string]bool{}
		for _, asked := range []string{id, uuid.NewString()} {
			path := strings.Replace(c.path, "%", asked, 1)
			if path == c.path {
				path += asked
			}
			status, body, err := other.do(t.Context(), c.method, path, c.body, nil)
			if err != nil {
				t.Fatal(err)
			}
			answers[http.StatusText(status)+" "+strings.ReplaceAll(string(body), asked, "ID")] = true
		}
		if len(answers) != 1 {
			t.Errorf("%s %s tells another account's OTP from none (V-06): %v", c.method, c.path, answers)
		}
	}
	if got := statusOf(p.must(200, "POST", "/2fa/v4/otp/"+id+"/validate", codeBody("483920"))); got != "VERIFIED" {
		t.Errorf("after the stranger's calls the right code is %s, want VERIFIED", got)
	}
}
