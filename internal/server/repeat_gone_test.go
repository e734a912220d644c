package server_test

import (
	"database/sql"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/pgtest"
)

// textOf returns a member of a JSON object.
func textOf(t *testing.T, body, member string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(body), &all); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	text, _ := all[member].(string)
	if text == "" {
		t.Fatalf("no %s in %s", member, body)
	}
	return text
}

// V-08: while its first request is under way a repetition is not refused for good,
// though what it names has gone meanwhile: at the same node it is told to come again,
// at another it waits for the first.
func TestARepetitionIsNotRefusedForWhatWentWhileTheFirstIsRunning(t *testing.T) {
	t.Parallel()
	url := pgtest.Ready(t)
	a := start(t, t.TempDir(), environ(url)...)
	watch, err := sql.Open("pgx", url)
	if err != nil {
		t.Fatal(err)
	}
	defer watch.Close()
	// waiting waits until so many requests with a key wait for another transaction,
	// or one that should is answered.
	waiting := func(n int, what string, answered <-chan reply) {
		t.Helper()
		waits := -1
		eventually(t, what, func() bool {
			err := watch.QueryRowContext(t.Context(), `SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)
				WHERE relation = 'idempotency'::regclass AND granted AND wait_event_type = 'Lock'`).Scan(&waits)
			if err != nil {
				t.Fatal(err)
			}
			return waits >= n || len(answered) > 0
		}, func() string { return a.log.String() })
	}
	made := func(path, member string) string {
		t.Helper()
		return textOf(t, a.must(200, "POST", path, ""), member)
	}
	a.configure()
	profile := textOf(t, a.must(201, "POST", "/2fa/v4/profiles", `{"name":"going","channels":[{"type":"SMS","templates":[{"name":"login_sms"}]}]}`), "id")
	sending, checking := made("/2fa/v1/application?name=sending", "applicationId"), made("/2fa/v1/application?name=checking", "applicationId")
	id := made("/2fa/v1/otp?number=%2B4915112345671&otpCode=4711&applicationId="+checking, "otpId")
	for _, c := range []struct {
		name, path, body string
		gone             string // what is deleted while the first runs
		status           int    // of the first
	}{
		{"version 4 send", "/2fa/v4/otp", `{"to":"+4915112345672","profileName":"going","priorityName":"sms-then-voice"}`, "/2fa/v4/profiles/" + profile, 202},
		{"version 1 send", "/2fa/v1/otp?number=%2B4915112345673&applicationId=" + sending, "", "/2fa/v1/application/" + sending, 200},
		{"version 1 check", "/2fa/v1/otp/" + id + "/check?otpCode=4711", "", "/2fa/v1/application/" + checking, 202},
	} {
		key := strings.ReplaceAll(c.name, " ", "-")
		// Nobody asks it for what is gone before that is, so it never knew it. It
		// starts before anything waits: what waits gives up after some seconds.
		b := start(t, t.TempDir(), environ(url)...)
		b.key = a.key
		release := pgtest.Hold(t, url, "LOCK TABLE otps IN EXCLUSIVE MODE")
		answers, elsewhere := make(chan reply, 1), make(chan reply, 1)
		go func() { answers <- a.repeatable(key, "POST", c.path, c.body) }()
		waiting(1, c.name+" to be under way", answers)
		a.must(200, "DELETE", c.gone, "")
		if again := a.repeatable(key, "POST", c.path, c.body); again.status != http.StatusConflict {
			t.Errorf("%s again at its node while the first runs: %s; want 409", c.name, again)
		}
		go func() { elsewhere <- b.repeatable(key, "POST", c.path, c.body) }()
		waiting(2, c.name+" at another node to wait for the first", elsewhere)
		release()
		first := <-answers
		if first.status != c.status {
			t.Errorf("%s: first %s; want %d", c.name, first, c.status)
		}
		for where, again := range map[string]reply{
			"at another node": <-elsewhere, "at its node": a.repeatable(key, "POST", c.path, c.body),
		} {
			if again != first {
				t.Errorf("%s: first %s, again %s %s; want the same", c.name, first, where, again)
			}
		}
	}
}
