package kannel_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/npmtest"
	"github.com/countersign/countersign/internal/freeport"
)

// patience is for what must come of other programs, on a busy machine.
const patience = 2 * time.Minute

// eventually waits until done reports true.
func eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s did not happen in %v", what, patience)
		}
	}
}

// centre is a process with npm's smpp as message centre. It takes a command and
// answers it, one at a time.
type centre struct {
	port int

	mu   sync.Mutex // guards what follows
	node *npmtest.Process
	last int
}

func startCentre(t testing.TB) *centre {
	t.Helper()
	c := &centre{node: npmtest.Start(t, npmtest.Modules(t, "smpp@0.5.1"), "../smpp/testdata/smsc.cjs")}
	var hello struct{ Port int }
	c.hear(t, 0, &hello)
	c.port = hello.Port
	return c
}

func (c *centre) hear(t testing.TB, id int, result any) {
	t.Helper()
	var line json.RawMessage
	var head struct {
		ID int `json:"id"`
	}
	if c.node.Hear(t, &line); json.Unmarshal(line, &head) != nil || head.ID != id || json.Unmarshal(line, result) != nil {
		t.Fatalf("the message centre said %q", line)
	}
}

// do runs a command for the gateway's account.
func (c *centre) do(t testing.TB, command string, more map[string]any, result any) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last++
	line := map[string]any{"customer": "kannel", "command": command, "id": c.last}
	maps.Copy(line, more)
	if err := json.NewEncoder(c.node.In).Encode(line); err != nil {
		t.Fatal(err)
	}
	c.hear(t, c.last, result)
}

// seen is a submit as npm's smpp decoded it.
type seen struct {
	Source, Dest []any
	ESM, Coding  int
	Validity     int
	Text, Entity string
	UDH          []string
}

func (c *centre) submits(t testing.TB) []seen {
	t.Helper()
	var r struct{ Submits []seen }
	c.do(t, "submits", nil, &r)
	return r.Submits
}

// nth waits for the nth submit of all (from 1) and returns it.
func (c *centre) nth(t testing.TB, n int) seen {
	t.Helper()
	var all []seen
	eventually(t, fmt.Sprint("submit ", n), func() bool {
		all = c.submits(t)
		return len(all) >= n
	})
	return all[n-1]
}

// script says how the next submits are answered.
func (c *centre) script(t testing.TB, statuses ...int) {
	t.Helper()
	c.do(t, "script", map[string]any{"answers": statuses}, &struct{}{})
}

func (c *centre) report(t testing.TB, n int, stat string) {
	t.Helper()
	var r struct{ Status int }
	if c.do(t, "receipt", map[string]any{"message": fmt.Sprint("npm-", n), "stat": stat}, &r); r.Status != 0 {
		t.Errorf("Kannel answered a receipt with %d; want 0", r.Status)
	}
}

const gatewayConfig = `
group = core
admin-port = %[1]d
admin-interface = 127.0.0.1
admin-password = none
smsbox-port = %[2]d
smsbox-interface = 127.0.0.1
box-allow-ip = 127.0.0.1
log-level = 2

group = smsc
smsc = smpp
smsc-id = npm
host = 127.0.0.1
port = %[4]d
transceiver-mode = true
smsc-username = kannel
smsc-password = secret
system-type = ""
reconnect-delay = 1

group = smpp-tlv
name = dlt_entity_id
tag = 0x1400
type = octetstring
length = 30
smsc-id = npm

group = smsbox
bearerbox-host = 127.0.0.1
bearerbox-port = %[2]d
sendsms-port = %[3]d
sendsms-interface = 127.0.0.1
http-request-retry = 5
http-queue-delay = 1

group = sendsms-user
username = otp
password = hunter2
max-messages = 3
concatenation = true
white-list-regex = "^\+?49"

group = sms-service
keyword = default
text = ""
max-messages = 0
`

// startKannel starts Debian's Kannel, bound to a message centre, and returns the
// URL of its sendsms.
func startKannel(t testing.TB, c *centre) string {
	t.Helper()
	ports := [...]int{freeport.Get(t), freeport.Get(t), freeport.Get(t)}
	file := filepath.Join(t.TempDir(), "kannel.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, gatewayConfig, ports[0], ports[1], ports[2], c.port), 0o600); err != nil {
		t.Fatal(err)
	}
	startBox(t, "bearerbox", file)
	listening(t, ports[1])
	startBox(t, "smsbox", file)
	listening(t, ports[2])
	eventually(t, "Kannel's bind", func() bool {
		var r struct{ Count int }
		c.do(t, "bound", nil, &r)
		return r.Count > 0
	})
	return fmt.Sprintf("http://127.0.0.1:%d/cgi-bin/sendsms", ports[2])
}

func listening(t testing.TB, port int) {
	t.Helper()
	eventually(t, fmt.Sprint("listening on port ", port), func() bool {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", fmt.Sprint("127.0.0.1:", port))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
}

// startBox starts a program of Kannel's. A shell between ends it when this
// process has gone, however that comes about.
func startBox(t testing.TB, name, file string) {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		path = "/usr/sbin/" + name // not on everybody's PATH
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("start %s (install Debian's kannel): %v", name, err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "sh", "-c", `"$0" "$1" & box=$!; read -r end; kill -9 $box; wait $box`, path, file)
	said, err := os.Create(filepath.Join(t.TempDir(), name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = said, said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait() // it was killed
		_ = said.Close()
		if t.Failed() && os.Getenv("KANNEL_LOG") != "" {
			if text, err := os.ReadFile(said.Name()); err == nil {
				t.Logf("%s:\n%s", name, text)
			}
		}
	})
}
