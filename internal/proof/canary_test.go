package proof_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/freeport"
)

func TestNoSecretLeavesItsPlace(t *testing.T) {
	t.Parallel()
	a := &aviary{t: t, secrets: map[string]string{}, numbers: map[string]string{}, kept: map[string]string{}, places: map[string][]byte{}}
	dir, admin := t.TempDir(), freeport.Address(t)
	hooks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var head bytes.Buffer
		_ = r.Header.Write(&head)
		body, _ := io.ReadAll(r.Body)
		a.put("callbacks", append(head.Bytes(), body...))
		if r.URL.Path == "/broken" {
			w.WriteHeader(http.StatusInternalServerError)
		}
	}))
	defer hooks.Close()

	p := serve(t, dir, "COUNTERSIGN_LOG_LEVEL=debug", "COUNTERSIGN_ADMIN_LISTEN="+admin,
		"COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true", "COUNTERSIGN_SANDBOX_LIMITS=true")
	a.secret("API key", p.key)
	root, err := os.ReadFile(filepath.Join(dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	a.secret("root key", strings.TrimSpace(string(root)))
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(root))); err == nil {
		a.secret("root key's bytes", string(raw))
	}
	a.secret("second API key", a.reveal(dir, "key", "create", "--account", "default"))
	p.configure(3)

	// Callbacks: one that works, one that answers 500, one where nobody listens.
	// A secret in a URL's query is the client's way to know us.
	token := a.secret("callback token", "tok-7c1f90ab3e5d")
	password := a.secret("callback header", "hdr-93be02f1c4a8")
	secrets := map[string]string{}
	for _, target := range []string{hooks.URL + "/works", hooks.URL + "/broken", "http://" + freeport.Address(t) + "/nobody"} {
		_, b := a.call(p, "answers", "POST", "/2fa/v4/configurations/callbacks",
			fmt.Sprintf(`{"url":%q,"headers":{"X-Password":%q}}`, target+"?token="+token, password), nil)
		id, err := idOf(b)
		if err != nil {
			t.Fatal(err)
		}
		secrets[target] = a.secret("signing secret of "+target, a.reveal(dir, "callback", "secret", id))
	}

	id := driveV4(a, p)
	driveV1(a, p)
	driveOctopush(a, p, a.secret("API key with a login", a.reveal(dir, "key", "create", "--account", "default", "--login", login)))
	a.garbage(p, a.code("garbage"))
	driveCommands(a, dir, id)

	// Everything that was accepted goes out, and callbacks have been tried.
	var inbox []byte
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		inbox = p.must(200, "GET", "/sandbox/messages?limit=200", "")
		a.mu.Lock()
		posts := bytes.Count(a.places["callbacks"], []byte(`"status":"DELIVERED"`))
		a.mu.Unlock()
		if strings.Contains(string(inbox), a.secrets["code of right"]) && posts >= 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the messages or callbacks did not come: %d callbacks\n%s", posts, p.log)
		}
	}

	for _, path := range []string{"/metrics", "/debug/pprof/cmdline", "/debug/pprof/goroutine?debug=2", "/debug/pprof/heap?debug=1"} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+admin+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := p.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || path == "/metrics" && !bytes.Contains(b, []byte("countersign_")) {
			t.Fatalf("%s: %d bytes, %v", path, len(b), err)
		}
		a.put(path, b)
	}
	read := a.reveal(dir, "inbox") + a.reveal(dir, "inbox", "--to", a.numbers["number 0"])
	a.files(dir, "while running")
	p.stop()
	a.files(dir, "after the stop")
	a.put("log", []byte(p.log.String()))
	a.put("standard output", []byte(strings.ReplaceAll(p.out.String(), "API key "+p.key, "")))

	a.search(secrets)

	// The search finds what is there: else finding nothing would mean nothing.
	files := slices.Concat(a.places["file countersign.db after the stop"], a.places["file countersign.db-wal after the stop"])
	for _, name := range []string{"token of the right code", "text of Octopush", "text of version 1"} {
		if len(hits(map[string]string{name: a.kept[name]}, "database", files)) == 0 {
			t.Errorf("the search does not find the %s in the database, where it is", name)
		}
	}
	for _, name := range []string{"code of right", "code of version 1", "code that Octopush chose", "code that version 1 chose"} {
		if len(hits(map[string]string{name: a.secrets[name]}, "inbox", []byte(read))) == 0 {
			t.Errorf("the search does not find the %s in what the command inbox shows, where it is", name)
		}
	}
	if len(hits(map[string]string{"code": a.secrets["code of right"]}, "inbox", inbox)) == 0 {
		t.Error("the search does not find a code in the inbox, where it is")
	}
	if len(hits(map[string]string{"root": a.secrets["root key"]}, "key file", root)) == 0 {
		t.Error("the search does not find the root key in its file")
	}
	if len(hits(a.numbers, "answers", a.places["answers"])) == 0 {
		t.Error("the search does not find a number in the answers, where it is")
	}
}
