package tyntecv4_test

import (
	"net/http"
	"testing"

	"github.com/countersign/countersign/internal/account"
	"github.com/countersign/countersign/internal/api/tyntecv4"
	"github.com/countersign/countersign/internal/guard"
)

// K-04: a key in the query is refused unless the operator allows it.
func TestAKeyInTheQueryAloneIsNoKeyUnlessAllowed(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	none := header{"apiKey", ""}
	for _, query := range []string{"apiKey=key-a", "apiKey=nope", "apiKey="} {
		h.get("/otp?"+query, none).ua()
		h.post("/otp?"+query, `{}`, none).ua()
	}
	h.get("/otp?apiKey=nope", asLenient()).status(http.StatusOK) // the header counts
	h.get("/otp?apiKey=key-a", header{"apiKey", "nope"}).fb()
}

func TestTwoKeysAreNoKey(t *testing.T) {
	t.Parallel()
	h := newServer(t, options{})
	for _, keys := range [][]string{{"key-a", "key-a"}, {"key-a", "key-b"}, {"key-a", "nope"}, {"nope", "key-a"}} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, h.server.URL+"/2fa/v4/otp", http.NoBody)
		h.must(err)
		r.Header["Apikey"] = keys
		answer, err := h.client.Do(r)
		h.must(err)
		answer.Body.Close()
		if answer.StatusCode != http.StatusForbidden {
			t.Errorf("keys %q: answered with %d; want 403", keys, answer.StatusCode)
		}
	}
}

// V-08: what the path names is part of the request.
func TestAnIdempotencyKeyIsOfOneOTP(t *testing.T) {
	t.Parallel()
	h := start(t)
	first, second := h.accepted(`{"otpCode":"483920"}`), h.accepted(`{"otpCode":"483920"}`)
	key, body := header{"Idempotency-Key", "one"}, `{"otpCode":"483920"}`
	h.post("/otp/"+first+"/validate", body, key).status(http.StatusOK)
	h.post("/otp/"+second+"/validate", body, key).pr(http.StatusUnprocessableEntity)
	h.otp(first, "VERIFIED", 1)
	if got := h.get("/otp/" + second).status(http.StatusOK).text("otpStatus"); got == "VERIFIED" {
		t.Error("the other OTP was verified by a repeated key")
	}
}

func TestTheAccountsCallerIsUsedBeforeTheServers(t *testing.T) {
	t.Parallel()
	h := startWith(t, options{rules: guard.Compat(0), config: func(c *tyntecv4.Config) { c.Senders = tyntecv4.Senders{Voice: "+4930"} }})
	h.post("/priorities", `{"name":"voice-only","channelPriority":[{"channel":"VOICE","priority":1}]}`).created()
	const toVoice = `{"priorityName":"voice-only"}`
	h.accepted(toVoice)
	h.must(h.store.SetSettings(t.Context(), "a", map[string]string{account.SettingCaller: "+4940"}))
	h.accepted(toVoice)
	h.accepted(`{"priorityName":"voice-only","caller":"+4950"}`)
	var callers []string
	for _, m := range h.voice.messages() {
		callers = append(callers, m.Step.Sender)
	}
	equal(t, "callers", callers, []string{"+4930", "+4940", "+4950"})
}
