package pgtest

import (
	"context"
	"io"
	"net"
	"sync"
	"testing"
)

// Gate is a TCP address of a cluster that a test can shut: it stands for the
// network between the nodes and their database.
type Gate struct {
	listener net.Listener
	to       string // the server's socket
	running  sync.WaitGroup

	mu    sync.Mutex // guards what follows
	state passage
	moved *sync.Cond
	open  map[net.Conn]struct{} // both sides of every connection
}

// passage is what a gate lets through.
type passage uint8

const (
	passes passage = iota
	shut           // connections are cut, new ones too
	silent         // connections stay and nothing comes through
	gone           // for good
)

// NewGate opens a gate to a cluster. It is shut for good with the test.
func NewGate(t testing.TB, c *Cluster) *Gate {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("open a gate: %v", err)
	}
	g := &Gate{listener: l, to: c.Socket(), open: map[net.Conn]struct{}{}}
	g.moved = sync.NewCond(&g.mu)
	g.running.Go(g.accept)
	t.Cleanup(func() {
		g.set(gone)
		_ = l.Close()
		g.running.Wait()
	})
	return g
}

// Addr is the gate's HOST:PORT.
func (g *Gate) Addr() string { return g.listener.Addr().String() }

// Shut cuts every connection, and every new one at once.
func (g *Gate) Shut() { g.set(shut) }

// Silence lets nothing through while connections stay, as a network does that
// loses every packet.
func (g *Gate) Silence() { g.set(silent) }

// Open lets everything through again.
func (g *Gate) Open() { g.set(passes) }

func (g *Gate) set(s passage) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.state = s
	if s == shut || s == gone {
		for c := range g.open {
			_ = c.Close()
		}
	}
	g.moved.Broadcast()
}

// through waits until something may pass and reports whether anything ever
// will on a connection of before.
func (g *Gate) through() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for g.state == silent {
		g.moved.Wait()
	}
	return g.state == passes
}

// hold notes a connection; false if the gate is shut.
func (g *Gate) hold(c net.Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.state == shut || g.state == gone {
		return false
	}
	g.open[c] = struct{}{}
	return true
}

func (g *Gate) drop(c net.Conn) {
	_ = c.Close()
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.open, c)
}

func (g *Gate) accept() {
	for {
		c, err := g.listener.Accept()
		if err != nil {
			return
		}
		if !g.hold(c) {
			_ = c.Close()
			continue
		}
		g.running.Go(func() { g.carry(c) })
	}
}

// carry takes one connection to the server and back.
func (g *Gate) carry(c net.Conn) {
	defer g.drop(c)
	if !g.through() {
		return
	}
	var d net.Dialer
	s, err := d.DialContext(context.Background(), "unix", g.to) // it answers at once or not at all
	if err != nil {
		return
	}
	defer g.drop(s)
	if !g.hold(s) {
		return
	}
	back := make(chan struct{})
	go func() {
		defer close(back)
		g.copy(c, s)
		_ = c.Close()
	}()
	g.copy(s, c)
	_ = s.Close()
	<-back
}

// copy takes what comes from one side to the other as long as it may pass.
func (g *Gate) copy(to io.Writer, from io.Reader) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		if n > 0 {
			if !g.through() {
				return
			}
			if _, err := to.Write(buffer[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}
