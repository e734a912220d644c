// Package freeport finds ports for programs that tests have to tell one, which
// cannot ask the system for any (port 0).
package freeport

import (
	"math/rand/v2"
	"net"
	"strconv"
	"sync/atomic"
	"testing"
)

// The ports that are given. They are below those that systems give to whoever
// asks for any and to the near ends of connections, from 32768 on.
const (
	leastPort = 20_000
	ports     = 12_000
)

// nextPort begins anywhere, as many processes test at once, and gives no port
// twice.
var nextPort = func() func() int {
	var given atomic.Int64
	first := rand.IntN(ports) //nolint:gosec // nothing secret
	return func() int { return leastPort + (first+int(given.Add(1)))%ports }
}()

// Get returns a port of this machine that nobody listens on, for a program that
// has to be told one. No connection and no other server gets it in the meantime,
// as one that was free a moment ago may.
func Get(t testing.TB) int {
	t.Helper()
	for range ports {
		port := nextPort()
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:"+strconv.Itoa(port))
		if err != nil {
			continue // somebody has it
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no port is free")
	return 0
}

// Address returns that of such a port on loopback, host and port.
func Address(t testing.TB) string {
	t.Helper()
	return "127.0.0.1:" + strconv.Itoa(Get(t))
}
