package main_test

import (
	"bufio"
	"context"
	"crypto/rand"
	"log/slog"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/countersign/countersign/internal/carrier/sandbox"
	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/phone"
	"github.com/countersign/countersign/internal/secret"
	"github.com/countersign/countersign/internal/server"
)

// boxes are the inbox of account acme at a place, and the same as a server with
// a root key that is not listed fills it.
type boxes struct {
	t             *testing.T
	own, unlisted *sandbox.Inbox
	messages      int
}

func (p *place) boxes() *boxes {
	p.t.Helper()
	p.done("account", "create", "acme")
	environ := append([]string{"COUNTERSIGN_DATA_DIR=" + p.dir}, p.environ...)
	c, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		p.t.Fatal(err)
	}
	d, err := server.Open(p.t.Context(), c, slog.New(slog.DiscardHandler), server.Options{Existing: true})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if err := d.Close(); err != nil {
			p.t.Error(err)
		}
	})
	root, err := secret.NewRoot(rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	keys, err := secret.NewKeyring(root)
	if err != nil {
		p.t.Fatal(err)
	}
	return &boxes{t: p.t, own: d.Sandbox().Inbox, unlisted: sandbox.NewInbox(d.Store, keys, d.Log)}
}

// put puts n messages into an inbox.
func (b *boxes) put(into *sandbox.Inbox, n int) {
	b.t.Helper()
	number, err := phone.Syntax("+4915112345678")
	if err != nil {
		b.t.Fatal(err)
	}
	for range n {
		b.messages++
		err := into.Put(b.t.Context(), delivery.Message{
			Dedupe: uuid.NewString(), Account: "acme", OTPID: uuid.NewString(), Recipient: number.Recipient(),
			Step: delivery.Step{Channel: message.SMS, Text: message.Parse("message "+strconv.Itoa(b.messages), nil)},
		})
		if err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestInboxShowsWhatCanBeOpenedPastWhatCannot(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	b := p.boxes()
	lines := func() int { return strings.Count(p.done("inbox")+"\n", "\n") }
	b.put(b.unlisted, 1)
	b.put(b.own, 250)
	if n := lines(); n != 250 {
		t.Errorf("of 250 messages behind one that cannot be opened inbox shows %d", n)
	}
	b.put(b.unlisted, 400)
	b.put(b.own, 1)
	if n := lines(); n != 251 {
		t.Errorf("of 251 messages around 400 that cannot be opened inbox shows %d", n)
	}
}

// following is the inbox that is followed, and what it prints.
func (p *place) following(ctx context.Context) (*exec.Cmd, *bufio.Scanner) {
	p.t.Helper()
	c := p.command(ctx, "inbox", "--follow")
	out, err := c.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		p.t.Fatal(err)
	}
	return c, bufio.NewScanner(out)
}

func TestInboxFollowsPastWhatCannotBeOpened(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	b := p.boxes()
	b.put(b.own, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, lines := p.following(ctx)
	follows := func(want string) {
		if !lines.Scan() || !strings.HasSuffix(lines.Text(), want) {
			t.Errorf("followed %q; want %s", lines.Text(), want)
		}
	}
	follows("message 1")
	b.put(b.unlisted, 200)
	b.put(b.own, 1)
	follows("message 202")
	cancel()
	_ = c.Wait()
}
