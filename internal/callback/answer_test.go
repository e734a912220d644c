package callback_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
	"github.com/countersign/countersign/internal/store/storetest"
)

// at makes one attempt at a receiver in a bubble of virtual time, which gets the
// connection once it has read the request, and returns what came of the attempt
// and how long it took.
func at(t *testing.T, receiver func(net.Conn)) (o callback.Outcome, took time.Duration) {
	t.Helper()
	q := &queueOf{posts: []callback.Post{{ID: "1", URL: "http://client.example.com", Secret: []byte(mustSecret(t, 1).Reveal())}}}
	p := callback.New(callback.Config{Store: q, Keys: plainKeys{}, Random: constant(0)})
	done := make(chan struct{})
	p.DialBy(func(context.Context, string, string) (net.Conn, error) {
		near, far := net.Pipe()
		go func() {
			defer close(done)
			defer func() { _ = far.Close() }()
			r, err := http.ReadRequest(bufio.NewReader(far))
			if err != nil {
				t.Errorf("the request: %v", err)
				return
			}
			_, _ = io.Copy(io.Discard, r.Body)
			receiver(far)
		}()
		return near, nil
	})
	start := time.Now()
	if n, err := p.Step(t.Context()); n != 1 || err != nil {
		t.Fatalf("Step = %d, %v; want one attempt", n, err)
	}
	took = time.Since(start)
	<-done
	return q.outcomes[0], took
}

// says answers so and holds the connection until the other side closes it.
func says(answer string) func(net.Conn) {
	return func(c net.Conn) {
		_, _ = io.WriteString(c, answer)
		_, _ = io.Copy(io.Discard, c)
	}
}

func TestAReceiverThatSwitchesProtocolsIsLeftAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, took := at(t, says("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"))
		if o.Received || o.Status != http.StatusSwitchingProtocols || took != 0 {
			t.Errorf("outcome %+v after %s, want it not received, at once", o, took)
		}
	})
}

func TestABodyThatDoesNotComeIsWaitedForTwoSeconds(t *testing.T) {
	t.Parallel()
	for _, head := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n",
	} {
		synctest.Test(t, func(t *testing.T) {
			o, took := at(t, says(head))
			if !o.Received || o.Latency != 0 || took != 2*time.Second {
				t.Errorf("%q: outcome %+v after %s, want it received at once, over after 2 s", head, o, took)
			}
		})
	}
}

func TestABodyThatComesByDropsIsReadForTwoSeconds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o, took := at(t, func(c net.Conn) {
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
			for err == nil {
				time.Sleep(300 * time.Millisecond)
				_, err = io.WriteString(c, "x")
			}
		})
		if !o.Received || took != 2*time.Second {
			t.Errorf("outcome %+v after %s, want it received, over after 2 s", o, took)
		}
	})
}

func TestABodyIsReadUpToFourKiB(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		taken := 0
		o, _ := at(t, func(c net.Conn) {
			_, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
			for err == nil {
				var n int
				n, err = c.Write(make([]byte, 512))
				taken += n
			}
		})
		// What net/http has read ahead is 4 KiB more at most.
		if !o.Received || taken < 4<<10 || taken > 8<<10 {
			t.Errorf("outcome %+v, %d bytes taken; want it received, 4 to 8 KiB", o, taken)
		}
	})
}

func TestAnAnswersHeadMayHave64KiB(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]bool{60 << 10: true, 70 << 10: false} {
		synctest.Test(t, func(t *testing.T) {
			o, _ := at(t, says(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\nX-Long: %s\r\n\r\n", strings.Repeat("x", size))))
			if o.Received != want {
				t.Errorf("outcome %+v for a head of %d bytes, want received = %v", o, size, want)
			}
		})
	}
}

func TestConnectingAndTheHandshakeTakeFiveSecondsEachAtMost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		q := &queueOf{posts: []callback.Post{{ID: "1", URL: "https://client.example.com", Secret: []byte(mustSecret(t, 1).Reveal())}}}
		p := callback.New(callback.Config{Store: q, Keys: plainKeys{}, Random: constant(0)})
		if got := p.ConnectTimeout(); got != 5*time.Second {
			t.Errorf("connecting may take %s, want 5 s", got)
		}
		p.DialBy(func(context.Context, string, string) (net.Conn, error) {
			near, far := net.Pipe()
			go func() {
				_, _ = io.Copy(io.Discard, far) // and says nothing
				_ = far.Close()
			}()
			return near, nil
		})
		start := time.Now()
		if n, err := p.Step(t.Context()); n != 1 || err != nil {
			t.Fatalf("Step = %d, %v; want one attempt", n, err)
		}
		if took, o := time.Since(start), q.outcomes[0]; took != 5*time.Second || o.Problem != callback.ProblemTimeout {
			t.Errorf("outcome %+v after %s, want a time-out after 5 s", o, took)
		}
	})
}

func TestNoProxyIsAsked(t *testing.T) {
	t.Parallel()
	if p := callback.New(callback.Config{}); p.AsksForProxy() {
		t.Error("a proxy of the environment would connect past the guard")
	}
}

func TestAttemptsAreSignedWithTheMachinesTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	w1 := receive(t, statuses(429, 200))
	_, signing := r.Configure(storetest.Acme, catalog.Callback{URL: w1.URL})
	r.Send(storetest.Acme).Dispatch()
	machine := r.wall.Now().Add(-48 * time.Hour) // the store's clock was ahead once, and stays so
	p := r.pusher(func(c *callback.Config) { c.Wall = func() time.Time { return machine } })
	step(t, p, 1)
	r.wall.Add(6 * time.Second) // what is due is the store's matter
	machine = machine.Add(7 * time.Second)
	step(t, p, 1)
	got := w1.requests()[1]
	if at, want := got.header.Get("webhook-timestamp"), strconv.FormatInt(machine.Unix(), 10); at != want {
		t.Errorf("webhook-timestamp %s, want %s", at, want)
	}
	if err := callback.Verify([]callback.Secret{signing}, got.header, []byte(got.body), machine); err != nil {
		t.Errorf("Verify at the machine's time = %v", err)
	}
}

func TestADateToRetryAfterIsReadByTheMachinesTime(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	machine := r.wall.Now().Add(-48 * time.Hour)
	w1 := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", machine.Add(time.Minute).UTC().Format(http.TimeFormat))
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	r.to(w1.URL)
	r.Send(storetest.Acme).Dispatch()
	p := r.pusher(func(c *callback.Config) { c.Wall = func() time.Time { return machine } })
	step(t, p, 1)
	r.wall.Add(58 * time.Second) // the wait has whole seconds
	step(t, p, 0)
	r.wall.Add(3 * time.Second)
	step(t, p, 1)
}
