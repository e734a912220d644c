package proof_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/otp"
)

// call is a request of a client.
type call struct {
	method, path, body string
	header             map[string]string
}

// answer is what it got.
type answer struct {
	status int
	body   []byte
}

// make does the call over p.
func (p *process) make(ctx context.Context, c call) (answer, error) {
	status, body, err := p.do(ctx, c.method, c.path, c.body, c.header)
	return answer{status, body}, err
}

// verdict is what an answer to a check says, in words of no dialect.
type verdict string

const (
	verified verdict = "verified"
	wrong    verdict = "wrong"
	spent    verdict = "spent"  // wrong, and the last that was compared
	locked   verdict = "locked" // not compared: too many were wrong
	over     verdict = "over"   // not compared: verified before, as far as is told
)

// told is a verdict and how many codes had been compared by then, 0 where the
// dialect does not say.
type told struct {
	verdict verdict
	count   int
}

// standing is an OTP as the server knows it.
type standing struct {
	State    string `json:"otpStatus"`
	Attempts int    `json:"attemptCount"`
}

// dialect is how the clients of one facade speak.
type dialect interface {
	// send asks for an OTP. The code is a wish that not every dialect knows.
	send(to, code string) call
	// sent reads the id in the answer to send.
	sent(answer) (string, error)
	// check gives a code for the OTP.
	check(id, code string) call
	// told reads the answer to check.
	told(answer) (told, error)
	// stands looks at the OTP and changes nothing.
	stands(p *process, id string) (standing, error)
}

// facade is a row of the table of facades.
type facade struct {
	dialect

	name string
	// spent is how many answers tell that a code was the last to be compared, as
	// against later ones: version 4 answers both alike.
	spent int
	// brings says that clients may bring the code, posts that deliveries are
	// told by callbacks.
	brings, posts bool
}

// login is paired with the key that facades returns rows for.
const login = "ops@example.org"

// facades readies p for OTPs that may compare so many codes, through each of
// its facades. inBody lets every check have a body.
func facades(p *process, attempts int, inBody bool) []facade {
	p.t.Helper()
	p.configure(attempts)
	p.must(200, "POST", fmt.Sprintf("/2fa/v1/application/default?attempts=%d&expire=7200", attempts), "")
	paired := p.command("key", "create", "--account", "default", "--login", login).out
	if paired == "" {
		p.t.Fatal("no key with a login")
	}
	return []facade{
		{v4{p.key}, "version 4", 0, true, true},
		{v1{p.key, inBody}, "version 1", 1, true, false},
		{octopush{paired, attempts}, "Octopush", 1, false, false},
	}
}

// v4 speaks the version 4 API.
type v4 struct{ key string }

func (d v4) call(path, body string) call {
	return call{http.MethodPost, "/2fa/v4/otp" + path, body, map[string]string{"apiKey": d.key, "Content-Type": "application/json"}}
}

func (d v4) send(to, code string) call  { return d.call("", sendBody(to, code)) }
func (d v4) check(id, code string) call { return d.call("/"+id+"/validate", codeBody(code)) }

func (v4) sent(a answer) (string, error) {
	if a.status != http.StatusAccepted {
		return "", a.strange("a send")
	}
	return idOf(a.body)
}

func (v4) told(a answer) (told, error) {
	known := map[string]verdict{"VERIFIED": verified, "WRONG_CODE": wrong, "TOO_MANY_ATTEMPTS": locked, "ALREADY_REPORTED": over}
	v, ok := known[statusOf(a.body)]
	if a.status != http.StatusOK || !ok {
		return told{}, a.strange("a check")
	}
	return told{verdict: v}, nil
}

func (v4) stands(p *process, id string) (standing, error) { return p.stands("/2fa/v4/otp/" + id) }

// v1 speaks the version 1 API: everything in the query, but for codes to check
// if they are to be in a body.
type v1 struct {
	key    string
	inBody bool
}

func (d v1) send(to, code string) call {
	query := url.Values{"number": {to}, "otpCode": {code}, "via": {"SMS"}}
	return call{http.MethodPost, "/2fa/v1/otp?" + query.Encode(), "", map[string]string{"apiKey": d.key}}
}

func (d v1) check(id, code string) call {
	c := call{http.MethodPost, "/2fa/v1/otp/" + id + "/check", "", map[string]string{"apiKey": d.key}}
	given := url.Values{"otpCode": {code}}.Encode()
	if d.inBody {
		c.body, c.header["Content-Type"] = given, "application/x-www-form-urlencoded"
	} else {
		c.path += "?" + given
	}
	return c
}

func (v1) sent(a answer) (string, error) {
	var entity struct {
		ID string `json:"otpId"`
	}
	if err := json.Unmarshal(a.body, &entity); err != nil || a.status != http.StatusOK || entity.ID == "" {
		return "", a.strange("a send")
	}
	return entity.ID, nil
}

func (v1) told(a answer) (told, error) {
	var s standing
	if err := json.Unmarshal(a.body, &s); err != nil {
		return told{}, a.strange("a check")
	}
	type kind struct {
		status int
		state  string
	}
	v, ok := map[kind]verdict{
		{http.StatusAccepted, "VERIFIED"}:           verified,
		{http.StatusUnauthorized, "ACTIVE"}:         wrong,
		{http.StatusForbidden, "TOO_MANY_ATTEMPTS"}: spent,
		{http.StatusGone, "TOO_MANY_ATTEMPTS"}:      locked,
		{http.StatusGone, "VERIFIED"}:               over,
	}[kind{a.status, s.State}]
	if !ok {
		return told{}, a.strange("a check")
	}
	return told{v, s.Attempts}, nil
}

func (v1) stands(p *process, id string) (standing, error) { return p.stands("/2fa/v1/otp/" + id) }

// octopush speaks the Octopush API, where the server alone chooses codes and
// nothing shows an OTP.
type octopush struct {
	key      string
	attempts int
}

func (d octopush) call(method, operation, body string) call {
	return call{method, "/v1/public/service/otp/" + operation, body, map[string]string{"api-login": login, "api-key": d.key}}
}

func (d octopush) send(to, _ string) call {
	return d.call(http.MethodPost, "generate", fmt.Sprintf(`{"phone_number":%q,"max_wrong_attempts":%d,"validity_period":7200}`, to, d.attempts))
}

func (d octopush) check(id, code string) call {
	return d.call(http.MethodPut, "validate", fmt.Sprintf(`{"otp_request_token":%q,"code":%q}`, id, code))
}

func (octopush) sent(a answer) (string, error) {
	body := struct {
		Code  *int   `json:"code"`
		Token string `json:"otp_request_token"`
	}{}
	if err := json.Unmarshal(a.body, &body); err != nil || a.status != http.StatusOK || body.Code == nil || *body.Code != 0 || body.Token == "" {
		return "", a.strange("a generate")
	}
	return body.Token, nil
}

func (d octopush) told(a answer) (told, error) {
	body := struct {
		Code *int `json:"code"`
		Left *int `json:"remaining_number_of_attempts"`
	}{}
	if err := json.Unmarshal(a.body, &body); err != nil || body.Code == nil ||
		(a.status == http.StatusOK) != (*body.Code == 0) || (body.Left != nil) != (*body.Code == 199) {
		return told{}, a.strange("a validate")
	}
	switch *body.Code {
	case 0:
		return told{verdict: verified}, nil
	case 199:
		if *body.Left == 0 {
			return told{spent, d.attempts}, nil
		}
		return told{wrong, d.attempts - *body.Left}, nil
	case 196:
		return told{verdict: locked}, nil
	case 198:
		return told{verdict: over}, nil
	}
	return told{}, a.strange("a validate")
}

// stands looks into the database: 198 is said of what is verified and of what
// is lost alike.
func (octopush) stands(p *process, id string) (standing, error) {
	driver, name, query := "sqlite", filepath.Join(p.dir, "countersign.db"), `SELECT state, attempts FROM otps WHERE origin = 'octopush' AND CAST(substr(id, 2) AS TEXT) = $1`
	for _, v := range p.cmd.Env {
		if url, ok := strings.CutPrefix(v, "COUNTERSIGN_DATABASE_URL="); ok {
			driver, name, query = "pgx", url, `SELECT state, attempts FROM otps WHERE origin = 'octopush' AND convert_from(substr(id, 2), 'UTF8') = $1`
		}
	}
	db, err := sql.Open(driver, name)
	if err != nil {
		return standing{}, err
	}
	defer db.Close()
	var state otp.State
	var s standing
	err = db.QueryRowContext(p.t.Context(), query, id).
		Scan(&state, &s.Attempts)
	s.State = state.String()
	return s, err
}

// strange is the error for an answer that does not fit its dialect.
func (a answer) strange(what string) error {
	return fmt.Errorf("%s = %d %s", what, a.status, bytes.TrimSpace(a.body))
}

// stands reads an OTP where the facade shows it.
func (p *process) stands(path string) (s standing, err error) {
	status, body, err := p.do(p.t.Context(), http.MethodGet, path, "", nil)
	if err != nil {
		return s, err
	}
	if status != http.StatusOK {
		return s, answer{status, body}.strange(path)
	}
	return s, json.Unmarshal(body, &s)
}

// errNotThere says that no message has arrived yet.
var errNotThere = errors.New("no message")

var sixDigits = regexp.MustCompile(`\b\d{6}\b`)

// read returns the code in the messages of an OTP, and how many they are. More
// than one are one and its doubles.
func (p *process) read(ctx context.Context, id string) (code string, messages int, err error) {
	status, body, err := p.do(ctx, http.MethodGet, "/sandbox/messages?otpId="+url.QueryEscape(id), "", nil)
	if err != nil {
		return "", 0, err
	}
	var list []struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(body, &list); err != nil || status != http.StatusOK {
		return "", 0, answer{status, body}.strange("the inbox")
	}
	for _, m := range list {
		found := sixDigits.FindString(m.Text)
		if found == "" || code != "" && found != code {
			return "", 0, fmt.Errorf("the messages of OTP %s have no code, or several", id)
		}
		code = found
	}
	if code == "" {
		return "", 0, errNotThere
	}
	return code, len(list), nil
}

// order sends an OTP and returns its id, and its code as it arrives.
func (f facade) order(t testing.TB, p *process, to string) (id, code string) {
	t.Helper()
	a, err := p.make(t.Context(), f.send(to, "483920"))
	if err != nil {
		t.Fatal(err)
	}
	if id, err = f.sent(a); err != nil {
		t.Fatalf("%v\n%s", err, p.log)
	}
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		code, _, err := p.read(t.Context(), id)
		switch {
		case err == nil:
			return id, code
		case !errors.Is(err, errNotThere) || time.Now().After(deadline):
			t.Fatalf("the code did not arrive: %v\n%s", err, p.log)
		}
	}
}

// other returns a code of the same kind that is not this one.
func other(code string) string {
	if code == "" {
		return "x"
	}
	b := []byte(code)
	b[0] = '0' + (b[0]-'0'+1)%10
	return string(b)
}
