package console_test

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/console/access"
	"github.com/countersign/countersign/internal/message"
)

// event is a server-sent event.
type event struct{ id, kind, data string }

// listen opens a stream and returns its events; the channel is closed when the
// stream ends.
func (b *browser) listen(path, lastID string) <-chan event {
	b.s.t.Helper()
	ctx, stop := context.WithCancel(b.s.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, b.s.url+path, nil)
	if err != nil {
		b.s.t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream") // as EventSource does
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := (&http.Client{Jar: b.client.Jar, Transport: b.client.Transport}).Do(req) //nolint:bodyclose // closed with the test
	if err != nil {
		b.s.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "text/event-stream" {
		b.s.t.Fatalf("the stream is %d %s", resp.StatusCode, resp.Header.Get("Content-Type"))
	}
	events, done := make(chan event, 64), make(chan struct{})
	go func() {
		defer close(done)
		defer close(events)
		var e event
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				e.id = value
			case "event":
				e.kind = value
			case "data":
				e.data = value
			case "":
				if e.kind != "" {
					events <- e
				}
				e = event{}
			}
		}
	}()
	b.s.t.Cleanup(func() {
		stop()
		_ = resp.Body.Close()
		<-done
	})
	return events
}

// next waits for an event.
func next(t *testing.T, events <-chan event) event {
	t.Helper()
	select {
	case e, open := <-events:
		if !open {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(2 * time.Minute):
		t.Fatal("no event in time")
	}
	return event{}
}

func TestAPageHearsOfANewMessageOfItsAccountAndPhone(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Support)
	all := b.listen("/live?topic=phones", "")
	one := b.listen("/live?topic=phones:"+s.keyOf(someNumber), "")
	if e := next(t, all); e.kind != "open" || e.id == "" {
		t.Errorf("the first event is %+v, want open", e)
	}
	next(t, one)
	s.arrive("other", someNumber, message.SMS, "Your code is #")
	s.arrive("acme", "+33612345678", message.SMS, "Your code is #")
	if e := next(t, all); e.kind != "change" || e.data != "phones" {
		t.Errorf("the event is %+v, want a change of phones", e)
	}
	s.arrive("acme", someNumber, message.SMS, "Your code is #")
	next(t, all)
	if e := next(t, one); e.kind != "change" || e.data != "phones:"+s.keyOf(someNumber) {
		t.Errorf("the phone's event is %+v", e)
	}
	select {
	case e := <-one:
		t.Errorf("the phone hears of what another got: %+v", e)
	default:
	}
}

func TestAConnectionThatBrokeMissesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	first := next(t, b.listen("/live?topic=phones", ""))
	quiet := b.listen("/live?topic=phones", first.id)
	s.arrive("acme", someNumber, message.SMS, "Your code is #")
	if e := next(t, quiet); e.kind != "change" {
		t.Errorf("an unchanged page is told %+v first, want the change", e)
	}
	if e := next(t, b.listen("/live?topic=phones", first.id)); e.kind != "change" || e.id == first.id {
		t.Errorf("a page that comes back is told %+v, want the change that it missed", e)
	}
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	events := b.listen("/live?topic=phones", "")
	next(t, events)
	b.post(http.StatusSeeOther, "/phones", "/sign-out")
	if e := next(t, events); e.kind != "ended" {
		t.Errorf("after sign-out the stream says %+v, want ended", e)
	}
	if _, open := <-events; open {
		t.Error("the stream goes on after its session")
	}
	if a := b.do(http.MethodGet, "/live?topic=phones", nil); a.status != http.StatusUnauthorized {
		t.Errorf("a stream without a session = %d, want 401", a.status)
	}
}

func TestAnOpenPageDoesNotKeepItsSessionAlive(t *testing.T) {
	t.Parallel()
	s := newSite(t, false)
	b := s.entered(access.Owner)
	events := b.listen("/live?topic=phones", "")
	next(t, events)
	s.wall.Add(16 * time.Minute)
	// The stream goes on, another begins, as after a lost connection, and a region is read anew.
	s.arrive("acme", someNumber, message.SMS, "Your code is #")
	next(t, events)
	next(t, b.listen("/live?topic=phones", ""))
	b.get(http.StatusOK, "/phones/wall", "HX-Request", "true", "X-By-Itself", "true")
	s.wall.Add(15 * time.Minute)
	if e := next(t, events); e.kind != "ended" {
		t.Errorf("after 31 minutes the stream says %+v, want ended", e)
	}
}

func TestUnknownTopicsAreRefused(t *testing.T) {
	t.Parallel()
	b := newSite(t, false).entered(access.Owner)
	for _, query := range []string{"", "?topic=", "?topic=ghosts", "?topic=phones&topic=ghosts", "?" + strings.Repeat("topic=phones:a&", 1) + "topic=x"} {
		b.get(http.StatusNotFound, "/live"+query)
	}
}
