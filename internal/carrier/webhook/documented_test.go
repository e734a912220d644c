package webhook_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/webhook"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/freeport"
	"github.com/countersign/countersign/internal/message"
)

// program writes the nth JavaScript block of the carrier's page to a file.
func program(t *testing.T, n int) string {
	t.Helper()
	page, err := os.ReadFile("../../../docs/carriers/webhook.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```js\n(.*?)```").FindAllSubmatch(page, -1)
	if len(blocks) <= n {
		t.Fatalf("the page has %d programs; want %d", len(blocks), n+1)
	}
	file := filepath.Join(t.TempDir(), "program.mjs")
	if err := os.WriteFile(file, blocks[n][1], 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func node(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "node", args...) // install Node.js 20 or later
	cmd.Env = append(os.Environ(), "GATEWAY_SECRET="+secretOf(1))
	cmd.Stderr = os.Stderr
	return cmd
}

func TestTheDocumentedReceiverHasTenLinesAndTakesMessagesOnce(t *testing.T) {
	t.Parallel()
	file := program(t, 0)
	source, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(source), "\n"); lines != 10 {
		t.Errorf("the receiver has %d lines; the page promises ten", lines)
	}
	port := freeport.Get(t)
	address := fmt.Sprint("127.0.0.1:", port)
	cmd := node(t, file)
	cmd.Env = append(cmd.Env, fmt.Sprint("PORT=", port))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start node (install Node.js 20 or later): %v", err)
	}
	printed := make(chan string, 100)
	go func() {
		defer close(printed)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			printed <- lines.Text()
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		for range printed { // until its output ends
		}
		_ = cmd.Wait()
	})
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			_ = conn.Close()
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("the receiver does not listen: %v", err)
		}
	}

	carrier := func(fill byte) *webhook.Carrier {
		cfg := config("http://" + address)
		cfg.Secret = setting.NewSecret(secretOf(fill))
		c, err := webhook.New(cfg, webhook.Deps{Receive: (&carriertest.Desk{}).Receive, Log: discard(), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		carriertest.Start(t, c)
		return c
	}
	if r := carrier(7).Submit(t.Context(), text(t, message.SMS, "{code}")); r.Class != delivery.Config || r.Failure.Code != "401" {
		t.Errorf("Submit with another secret = %+v; want Config, 401", r)
	}
	c := carrier(1)
	if err := c.Check(t.Context()); err != nil {
		t.Errorf("Check = %v; want nil", err)
	}
	for try, channel := range []message.Channel{message.SMS, message.SMS, message.Viber} {
		m := text(t, channel, "Привет {code}.")
		if channel == message.Viber {
			m.Dedupe = "another"
		}
		m.Try = try + 1
		if r := c.Submit(t.Context(), m); r.Class != delivery.Accepted {
			t.Errorf("Submit = %+v; want Accepted", r)
		}
	}
	for _, channel := range []message.Channel{message.SMS, message.Viber} {
		select {
		case got := <-printed:
			if want := fmt.Sprint(channel, " ", number, " Привет ", code, "."); got != want {
				t.Errorf("the receiver printed %q; want %q", got, want)
			}
		case <-time.After(2 * time.Minute):
			t.Fatal("the receiver printed nothing")
		}
	}
}

func TestTheDocumentedReceiptIsTaken(t *testing.T) {
	t.Parallel()
	file := program(t, 1)
	d := &carriertest.Desk{}
	c := open(t, answers(http.StatusOK, ""), func(_ *webhook.Config, deps *webhook.Deps) { deps.Receive = d.Receive })
	s := httptest.NewServer(c.Receipts())
	t.Cleanup(s.Close)
	for status, want := range map[string]string{"DELIVERED": "200", "ARRIVED": "400"} {
		out, err := node(t, file, s.URL, dedupe, status).Output()
		if got := strings.TrimSpace(string(out)); err != nil || got != want {
			t.Errorf("%s: the program printed %q, %v; want %s", status, got, err, want)
		}
	}
	stranger := node(t, file, s.URL, dedupe, "DELIVERED")
	stranger.Env = append(stranger.Env, "GATEWAY_SECRET="+secretOf(2))
	if out, err := stranger.Output(); err != nil || strings.TrimSpace(string(out)) != "401" {
		t.Errorf("with another secret the program printed %q, %v; want 401", out, err)
	}
	want := delivery.Receipt{Carrier: "gateway", ID: dedupe, State: delivery.ReceiptDelivered}
	if len(d.All()) != 1 || d.All()[0] != want {
		t.Errorf("receipts = %+v; want %+v", d.All(), want)
	}
}
