package resolve_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/resolve"
	"github.com/countersign/countersign/internal/stolen"
)

const (
	// connectTime is less than package net gives the first server by itself, as it
	// is for whoever connects in 5 s.
	connectTime = 4 * time.Second
	patience    = 2 * time.Minute // for what must come, on a busy machine
)

var found = netip.MustParseAddr("192.0.2.7")

// packets is a name server over UDP that gives every question to answer, until
// the test ends.
func packets(t *testing.T, answer func(question []byte) []byte) string {
	t.Helper()
	var lc net.ListenConfig
	server, err := lc.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1024)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			if a := answer(buf[:n]); a != nil {
				_, _ = server.WriteTo(a, from)
			}
		}
	}()
	t.Cleanup(func() {
		_ = server.Close()
		<-done
	})
	return server.LocalAddr().String()
}

// mute is a name server over TCP that takes connections and says nothing.
func mute(t *testing.T) string {
	t.Helper()
	var lc net.ListenConfig
	server, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server.Addr().String()
}

// knows answers a question of any name (RFC 1035 §4) with found.
func knows(question []byte) []byte {
	const header = 12
	end := header
	for question[end] != 0 { // the name's labels
		end += int(question[end]) + 1
	}
	end += 5 // the last label, type and class
	answer := slices.Clone(question[:end])
	copy(answer[2:], []byte{0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0})                  // no error; one question, one answer
	answer = append(answer, 0xc0, header, 0, 1, 0, 1, 0, 0, 0, 0, 0, net.IPv4len) // the name again, A, IN, not to be kept
	return append(answer, found.AsSlice()...)
}

// The resolver asks one server after the other, so that the first question goes
// to the one that is silent.
func TestASilentNameServerDoesNotKeepTheNextFromAnswering(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ network, silent string }{
		{"udp", packets(t, func([]byte) []byte { return nil })},
		{"tcp", mute(t)},
	} {
		t.Run(c.network, func(t *testing.T) {
			t.Parallel()
			second := packets(t, knows)
			var asked atomic.Int32
			r := resolve.By(func(ctx context.Context, _, _ string) (net.Conn, error) {
				if asked.Add(1) == 1 {
					return (&net.Dialer{}).DialContext(ctx, c.network, c.silent)
				}
				return (&net.Dialer{}).DialContext(ctx, "udp", second)
			})
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			span := stolen.Start(t).Begin()
			got, err := r.LookupNetIP(ctx, "ip4", "carrier.example.")
			if err != nil || !slices.Equal(got, []netip.Addr{found}) {
				t.Errorf("%d servers asked: %v, %v; want %v of the second", asked.Load(), got, err, found)
			}
			if span.Exceeds(connectTime) {
				t.Errorf("it took %v; want %v at most", span.Own(), connectTime)
			}
		})
	}
}
