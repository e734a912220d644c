package proof_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// echo is a peer that answers 204 and then, though such an answer has no body,
// sends back what it got on a connection that it keeps.
type echo struct {
	net.Listener

	all sync.WaitGroup
	mu  sync.Mutex // guards got
	got []string   // whole requests
}

func newEcho(t *testing.T) *echo {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	e := &echo{Listener: l}
	e.all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			e.all.Go(func() { e.answer(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		e.all.Wait()
	})
	return e
}

// answer takes one request and waits until the connection ends.
func (e *echo) answer(c net.Conn) {
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(patience))
	r, err := http.ReadRequest(bufio.NewReader(c))
	if err != nil {
		return
	}
	body, _ := io.ReadAll(r.Body)
	said := r.URL.String() + " " + string(body)
	e.mu.Lock()
	e.got = append(e.got, said)
	e.mu.Unlock()
	_, _ = fmt.Fprintf(c, "HTTP/1.1 204 No Content\r\n\r\n%s", said)
	_, _ = io.Copy(io.Discard, c)
}

func (e *echo) String() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.got, "\n")
}

func TestWhatPeersSendAfterTheirAnswersIsNotLogged(t *testing.T) {
	t.Parallel()
	gateway, hooks := newEcho(t), newEcho(t)
	path := filepath.Join(t.TempDir(), "countersign.toml")
	settings := fmt.Sprintf("[[carrier]]\nname = \"echo\"\ntype = \"request\"\nurl = \"http://%s/send\"\n"+
		"body = '{\"to\":\"{to}\",\"text\":\"{text}\"}'\nallow_private = true\n", gateway.Addr())
	if err := os.WriteFile(path, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	p := serve(t, t.TempDir(), "COUNTERSIGN_LOG_LEVEL=debug", "COUNTERSIGN_CONFIG="+path, "COUNTERSIGN_CALLBACK_ALLOW_PRIVATE=true")
	p.configure(3)
	p.must(201, "POST", "/2fa/v4/configurations/callbacks", fmt.Sprintf(`{"url":"http://%s/canary-of-a-receiver"}`, hooks.Addr()))
	p.must(202, "POST", "/2fa/v4/otp", sendBody("+491517654321", "83719264"))

	const told = `"a peer sent more than its answer; the connection was closed"`
	for deadline := time.Now().Add(patience); strings.Count(p.log.String(), told) < 2 || hooks.String() == ""; time.Sleep(20 * time.Millisecond) {
		if strings.Contains(p.log.String(), "Unsolicited") || time.Now().After(deadline) {
			t.Fatalf("want %s of both peers; got\n%s", told, p.log)
		}
	}
	for _, secret := range []string{"83719264", "1517654321", "canary-of-a-receiver"} {
		if !strings.Contains(gateway.String()+hooks.String(), secret) {
			t.Errorf("%s did not get to the peers, so not finding it in the log would mean nothing", secret)
		}
		if strings.Contains(p.log.String(), secret) {
			t.Errorf("%s is in the log:\n%s", secret, p.log)
		}
	}
	for line := range strings.Lines(p.log.String()) {
		if !strings.HasPrefix(line, "{") {
			t.Errorf("a line of the log is no JSON: %s", line)
		}
	}
}
