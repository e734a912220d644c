package callback_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/store/storetest"
)

// wireReceiver is a receiver below HTTP: it answers the first request of each
// connection with 200 as if it kept the connection, and meets the second with
// the bytes of second, "" for none, and the connection's end.
type wireReceiver struct {
	url    string
	second string
	mu     sync.Mutex // guards got
	got    []string   // requests as they were on the wire, body included
}

func receiveOnWire(t *testing.T, second string) *wireReceiver {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	rec := &wireReceiver{url: "http://" + l.Addr().String(), second: second}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			context.AfterFunc(ctx, func() { _ = c.Close() })
			serving.Go(func() { rec.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close(); cancel(); serving.Wait() })
	return rec
}

func (rec *wireReceiver) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	r := bufio.NewReader(c)
	for _, answer := range []string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", rec.second} {
		var whole strings.Builder
		q, err := http.ReadRequest(bufio.NewReader(io.TeeReader(r, &whole)))
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, q.Body)
		rec.mu.Lock()
		rec.got = append(rec.got, whole.String())
		rec.mu.Unlock()
		_, _ = io.WriteString(c, answer)
	}
}

func (rec *wireReceiver) requests() []string {
	rec.mu.Lock()
	defer rec.mu.Unlock()
	return slices.Clone(rec.got)
}

func TestAPostThatMeetsTheCloseOfAnIdleConnectionIsMadeAgainAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receiveOnWire(t, "")
	r.to(w1.url)
	o := &results{all: map[string]int{}}
	p := r.pusher(func(c *callback.Config) { c.Observer = o })
	for range 2 {
		r.Send(storetest.Acme).Dispatch()
		step(t, p, 1)
	}
	if diff := cmp.Diff(map[string]int{callback.ResultReceived: 2}, o.all); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	got := w1.requests()
	if len(got) != 3 {
		t.Fatalf("%d requests, want 3: the second was met by the close", len(got))
	}
	if diff := cmp.Diff(got[1], got[2]); diff != "" || got[0] == got[1] {
		t.Errorf("the same POST again (-first +again):\n%s", diff)
	}
	for _, q := range got {
		if strings.Contains(strings.ToLower(q), "idempotency") {
			t.Errorf("the mark for net/http was sent:\n%s", q)
		}
	}
}

func TestAPostWhoseAnswerBeganIsNotMadeAgainAtOnce(t *testing.T) {
	t.Parallel()
	for _, answer := range []string{"H", "HTTP/1.1 200 OK\r\nContent-Le"} {
		r := newRig(t)
		w1 := receiveOnWire(t, answer)
		r.to(w1.url)
		p := r.pusher()
		for range 2 {
			r.Send(storetest.Acme).Dispatch()
			step(t, p, 1)
		}
		if n := len(w1.requests()); n != 2 {
			t.Errorf("%d requests after an answer %q that broke off, want 2", n, answer)
		}
		letters, err := r.Letters(t.Context(), storetest.Acme, false, 10)
		if err != nil || len(letters) != 1 || letters[0].LastProblem != callback.ProblemConnection {
			t.Errorf("letters %+v, %v; want the second to wait for its retry", letters, err)
		}
	}
}

func TestAnIdempotencyKeyOfTheCustomerIsSentAsGiven(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"X-Idempotency-Key", "x-idempotency-key", "X-IDEMPOTENCY-KEY", "Idempotency-Key", "idempotency-key"} {
		r := newRig(t)
		w1 := receiveOnWire(t, "")
		r.Configure(storetest.Acme, catalog.Callback{URL: w1.url, Headers: []catalog.Header{{Name: name, Value: "mine"}}})
		r.Send(storetest.Acme).Dispatch()
		step(t, r.pusher(), 1)
		head := w1.requests()[0]
		if !strings.Contains(head, "\r\n"+name+": mine\r\n") || strings.Count(strings.ToLower(head), "idempotency-key:") != 1 {
			t.Errorf("%s is not once, as given, in\n%s", name, head)
		}
	}
}

func TestAnAnswerWithALongHeadIsReceived(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		for range 15 { // 60 KiB
			w.Header().Add("Content-Security-Policy", strings.Repeat("x", 4<<10))
		}
		w.WriteHeader(http.StatusAccepted)
	})
	r.to(w1.URL)
	o := &results{all: map[string]int{}}
	r.Send(storetest.Acme).Dispatch()
	step(t, r.pusher(func(c *callback.Config) { c.Observer = o }), 1)
	if diff := cmp.Diff(map[string]int{callback.ResultReceived: 1}, o.all); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
}
