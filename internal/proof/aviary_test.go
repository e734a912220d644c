package proof_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// aviary knows every secret of a run and where none of them may be.
type aviary struct {
	t       testing.TB
	mu      sync.Mutex        // guards what follows
	secrets map[string]string // by what they are
	numbers map[string]string
	kept    map[string]string // texts, tokens and addresses: answers and the database may hold them
	places  map[string][]byte // what came out, by where
}

// code returns a code that occurs nowhere else: eleven characters that a user
// may choose.
func (a *aviary) code(name string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	code := fmt.Sprintf("zq%dxkw%dvj", 10+len(a.secrets), 100+7*len(a.secrets))[:11]
	name = "code of " + name
	if _, taken := a.secrets[name]; taken {
		name = fmt.Sprintf("%s, %d", name, len(a.secrets))
	}
	a.secrets[name] = code
	return code
}

func (a *aviary) secret(name, value string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(value) < 8 {
		a.t.Fatalf("%s is too short to be told from chance", name)
	}
	a.secrets[name] = value
	return value
}

func (a *aviary) number(tail string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	n := fmt.Sprintf("+49176%04d%s", 5301+13*len(a.numbers), tail)
	a.numbers[fmt.Sprintf("number %d", len(a.numbers))] = n
	return n
}

// keep notes what may be in answers and in the database, like numbers.
func (a *aviary) keep(name, value string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(value) < 8 {
		a.t.Fatalf("%s is too short to be told from chance", name)
	}
	a.kept[name] = value
	return value
}

// put notes what came out somewhere.
func (a *aviary) put(place string, b []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.places[place] = append(append(a.places[place], b...), '\n')
}

// forms are the spellings in which a secret could come out.
func forms(secret string) map[string][]byte {
	b := []byte(secret)
	all := map[string][]byte{
		"text":          b,
		"upper case":    bytes.ToUpper(b),
		"hexadecimal":   []byte(hex.EncodeToString(b)),
		"percent":       []byte(url.QueryEscape(secret)),
		"decimal bytes": []byte(decimal(b)),
		"spelled":       []byte(strings.Join(strings.Split(secret, ""), ", ")), // as in a call
	}
	// Base64 of a text that has the secret in it, at each of three positions.
	for shift := range 3 {
		coded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), b...))
		from := (8*shift + 5) / 6
		all[fmt.Sprintf("base64 at %d", shift)] = []byte(coded[from : len(coded)-len(coded)%4-4])
	}
	return all
}

func decimal(b []byte) string {
	var s []string
	for _, c := range b {
		s = append(s, strconv.Itoa(int(c)))
	}
	return strings.Join(s, " ")
}

// hits lists where a secret is found in what came out of a place.
func hits(secrets map[string]string, where string, b []byte) []string {
	var found []string
	for name, secret := range secrets {
		for form, spelled := range forms(secret) {
			if len(spelled) >= 8 && bytes.Contains(b, spelled) {
				at := bytes.Index(b, spelled)
				found = append(found, fmt.Sprintf("%s as %s in %s: …%q…", name, form, where, b[max(0, at-60):min(len(b), at+60)]))
			}
		}
	}
	return found
}

// call makes a request and notes the answer among those of its kind. A header
// that is "" is left out.
func (a *aviary) call(p *process, kind, method, path, body string, header map[string]string) (int, []byte) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("apiKey", p.key)
	req.Header.Set("Content-Type", "application/json")
	for name, value := range header {
		if req.Header.Set(name, value); value == "" {
			req.Header.Del(name)
		}
	}
	resp, err := p.client.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	var head bytes.Buffer
	_ = resp.Header.Write(&head)
	// A check that fails in version 1 is answered with the OTP, number included.
	if resp.StatusCode >= 400 && !bytes.Contains(b, []byte(`"otpStatus"`)) {
		kind = "errors"
	}
	a.put(kind, append(head.Bytes(), b...))
	return resp.StatusCode, b
}

func (a *aviary) send(p *process, to, code string, header map[string]string) string {
	a.t.Helper()
	status, b := a.call(p, "answers", "POST", "/2fa/v4/otp", sendBody(to, code), header)
	id, err := idOf(b)
	if status != http.StatusAccepted || err != nil {
		a.t.Fatalf("a send = %d %s", status, b)
	}
	return id
}

// command runs the program beside the server and notes what it prints.
func (a *aviary) command(dir, stdin string, args ...string) {
	a.t.Helper()
	made := command(a.t, dir, stdin, args...)
	a.put("log of "+args[0], made.log)
	a.put("output of "+args[0], []byte(made.out))
}

// reveal is command for what is meant to print a secret.
func (a *aviary) reveal(dir string, args ...string) string {
	a.t.Helper()
	made := command(a.t, dir, "", args...)
	a.put("log of "+args[0], made.log)
	return made.out
}

// files notes every file of dir but the key file.
func (a *aviary) files(dir, when string) {
	a.t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			a.t.Fatal(err)
		}
		if e.Name() != "secret.key" {
			a.put("file "+e.Name()+" "+when, b)
		}
	}
}

// search looks for every secret everywhere, and says what was found where it
// must not be.
func (a *aviary) search(signing map[string]string) {
	a.t.Helper()
	size := 0
	for _, place := range slices.Sorted(maps.Keys(a.places)) {
		b := a.places[place]
		size += len(b)
		secrets := maps.Clone(a.secrets)
		switch {
		case place == "callbacks":
			delete(secrets, "callback header") // it is sent there
		case place == "answers":
			delete(secrets, "callback header") // the contract gives it back
			delete(secrets, "callback token")
		case strings.HasPrefix(place, "file "):
			delete(secrets, "callback token") // a URL is no secret to the database
		}
		for _, hit := range hits(secrets, place, b) {
			a.t.Errorf("found: %s", hit)
		}
		if place != "answers" && !strings.HasPrefix(place, "file ") {
			for _, hit := range hits(a.numbers, place, b) {
				a.t.Errorf("found: %s", hit)
			}
			for _, hit := range hits(a.kept, place, b) {
				a.t.Errorf("found: %s", hit)
			}
			bare := map[string]string{}
			for name, n := range a.numbers {
				bare[name+" without plus"] = strings.TrimPrefix(n, "+")
			}
			for _, hit := range hits(bare, place, b) {
				a.t.Errorf("found: %s", hit)
			}
		}
	}
	if len(a.places["log"]) < 100 || len(a.places["callbacks"]) == 0 || len(a.places["errors"]) == 0 || len(signing) != 3 {
		a.t.Errorf("too little came out to be searched: %d bytes of log, %d of callbacks, %d of errors",
			len(a.places["log"]), len(a.places["callbacks"]), len(a.places["errors"]))
	}
	a.t.Logf("%d secrets, %d numbers and %d texts and tokens in %d places, %d bytes", len(a.secrets), len(a.numbers), len(a.kept), len(a.places), size)
}

// message waits for an OTP's message and returns the code in it, which find
// says where to look for.
func (a *aviary) message(p *process, id string, find *regexp.Regexp) string {
	a.t.Helper()
	a.arrived(p, id)
	b := p.must(200, "GET", "/sandbox/messages?otpId="+id, "")
	m := find.FindSubmatch(b)
	if m == nil {
		a.t.Fatalf("no code in %s", b)
	}
	return string(m[1])
}
