// The race detector of Go 1.26 now and then dies of a town: of a hundred thousand
// goroutines and as many timers in one bubble (CHECK failed in tsan_rtl.cpp).

//go:build !race

package callback_test

import (
	"bufio"
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/otp"
)

// town is a pusher with many receivers, all inside one synctest bubble: the
// queue is a double, the connections are pipes and waiting costs nothing.
type town struct {
	*callback.Pusher
	t      *testing.T
	secret []byte // signs for all
	queue  *queue
	over   chan struct{}
	late   bool // said so

	mu    sync.Mutex                           // guards what follows
	ways  map[string]func(n int) time.Duration // how long a receiver takes for its n-th request, from 1
	mutes map[string]bool                      // receivers whose answers end with the head, though a body was to come
}

// hangs answers nothing.
func hangs(int) time.Duration { return time.Hour }

// after answers every request after d.
func after(d time.Duration) func(int) time.Duration {
	return func(int) time.Duration { return d }
}

// inTown runs f in a bubble with a running pusher.
func inTown(t *testing.T, f func(*town)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		secret, err := callback.NewSecret(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		w := &town{
			t: t, secret: []byte(secret.Reveal()), queue: newQueue(),
			ways: map[string]func(int) time.Duration{}, mutes: map[string]bool{}, over: make(chan struct{}),
		}
		stop := w.start()
		f(w)
		close(w.over) // whoever has not answered hangs up
		stop()
	})
}

// start runs a pusher that knows nothing yet.
func (w *town) start() (stop func()) {
	w.Pusher = callback.New(callback.Config{
		Store: w.queue, Keys: plainKeys{}, Version: "test", Now: time.Now, Node: "n1",
		Log: slog.New(slog.DiscardHandler), Random: constant(0),
	})
	w.DialBy(func(_ context.Context, _, addr string) (net.Conn, error) {
		client, server := net.Pipe()
		host, _, _ := strings.Cut(addr, ".")
		go w.answer(host, server)
		return client, nil
	})
	ctx, cancel := context.WithCancel(context.WithoutCancel(w.t.Context()))
	done := make(chan error, 1)
	run := w.Run
	go func() { done <- run(ctx) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			w.t.Errorf("Run = %v", err)
		}
	}
}

// answer serves a connection of a receiver.
func (w *town) answer(name string, c net.Conn) {
	defer func() { _ = c.Close() }()
	w.mu.Lock()
	takes, mute := w.ways[name], w.mutes[name]
	w.mu.Unlock()
	r := bufio.NewReader(c)
	for {
		q, err := http.ReadRequest(r)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, q.Body)
		n := w.queue.came(name, strings.TrimPrefix(q.Header.Get("webhook-id"), "msg_"))
		select {
		case <-time.After(takes(n)):
		case <-w.over:
			return
		}
		w.queue.went(name)
		if mute {
			_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n")
			_, _ = io.Copy(io.Discard, c) // until the pusher has had enough
			return
		}
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return
		}
	}
}

// receivers returns n names of receivers that answer in this way.
func (w *town) receivers(name string, n int, way func(int) time.Duration) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	names := make([]string, n)
	for i := range names {
		names[i] = fmt.Sprint(name, i)
		w.ways[names[i]] = way
	}
	return names
}

// mute returns n names of receivers that answer at once, but for the body.
func (w *town) mute(name string, n int) []string {
	names := w.receivers(name, n, after(0))
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, name := range names {
		w.mutes[name] = true
	}
	return names
}

// events queues n events for each of the receivers.
func (w *town) events(names []string, n int) {
	for range n {
		for _, name := range names {
			w.queue.add(callback.Post{
				Account: name, ConfigID: name, URL: "http://" + name + ".example/", Secret: w.secret,
				OTPID: "o", ProfileID: "p", Event: otp.Event{At: time.Now(), Kind: otp.EventDispatched, Channel: "SMS"},
			})
		}
	}
	w.Wake()
}

// prompt fails the test unless what is queued for the receivers comes to all of
// them within limit.
func (w *town) prompt(names []string, limit time.Duration) {
	w.t.Helper()
	time.Sleep(limit)
	synctest.Wait()
	missing := 0
	for _, name := range names {
		missing += w.queue.unseen(name)
	}
	if missing > 0 && !w.late {
		w.late = true // the first tells enough
		w.t.Errorf("%d events had not come to %s and its like after %s", missing, names[0], limit)
	}
}

// row is a callback in a queue.
type row struct {
	callback.Post
	due    time.Time
	leased bool
	seen   bool // by its receiver
}

// byTurn is what the stores promise of the order of claims.
func byTurn(due []*row, limit int, places func(config string) int) []*row {
	slices.SortStableFunc(due, func(a, b *row) int { return a.due.Compare(b.due) })
	type turn struct {
		n   int
		row *row
	}
	var turns []turn
	taken := map[string]int{}
	for _, r := range due {
		if n := taken[r.ConfigID]; n < places(r.ConfigID) {
			turns = append(turns, turn{n, r})
			taken[r.ConfigID]++
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.n, b.n) })
	var out []*row
	for _, t := range turns[:min(len(turns), limit)] {
		out = append(out, t.row)
	}
	return out
}
