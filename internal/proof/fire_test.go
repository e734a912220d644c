package proof_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// withheld fires over HTTP/1.1: each request on its own connection but for its
// last byte, then the last bytes.
type withheld struct{ wires []*wire }

// wire is a connection kept alive.
type wire struct {
	net.Conn
	in *bufio.Reader
}

func newWires(t testing.TB, p *process, n int) []*wire {
	t.Helper()
	wires := make([]*wire, n)
	for i := range wires {
		c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(p.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		wires[i] = &wire{c, bufio.NewReader(c)}
	}
	return wires
}

func (b withheld) fire(t testing.TB, calls []call) []answer {
	t.Helper()
	last := make([]byte, len(calls))
	for i, c := range calls {
		request := c.raw()
		end := len(request) - 1
		last[i] = request[end]
		if _, err := b.wires[i].Write(request[:end]); err != nil {
			t.Fatal(err)
		}
	}
	release := make(chan struct{})
	answers := make([]answer, len(calls))
	var all sync.WaitGroup
	for i := range calls {
		all.Go(func() {
			<-release
			if _, err := b.wires[i].Write(last[i : i+1]); err != nil {
				t.Error(err)
				return
			}
			resp, err := http.ReadResponse(b.wires[i].in, nil)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
				return
			}
			answers[i] = answer{resp.StatusCode, body}
		})
	}
	close(release)
	all.Wait()
	return answers
}

// raw is the call in HTTP/1.1. Without a body, its last byte is that of the
// headers.
func (c call) raw() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n", c.method, c.path, len(c.body))
	for name, value := range c.header {
		fmt.Fprintf(&b, "%s: %s\r\n", name, value)
	}
	b.WriteString("\r\n" + c.body)
	return b.Bytes()
}

// corked fires over one HTTP/2 connection: the last frames of all requests
// leave in one write, which on loopback is one packet.
type corked struct {
	p      *process
	client *http.Client
	cork   *cork
}

// cork is a connection that can hold back what is written.
type cork struct {
	net.Conn

	mu   sync.Mutex // guards what follows
	held []byte
	on   bool
}

func (c *cork) Write(b []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.on {
		c.held = append(c.held, b...)
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c *cork) put() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.on = true
}

// pull lets all that was held go in one write and returns how much it was.
func (c *cork) pull() (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	n, err := c.Conn.Write(c.held)
	c.held, c.on = nil, false
	return n, err
}

func newCorked(t testing.TB, p *process) *corked {
	t.Helper()
	b := &corked{p: p}
	transport := &http.Transport{ForceAttemptHTTP2: true, MaxConnsPerHost: 1}
	transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		b.cork = &cork{Conn: c}
		s := tls.Client(b.cork, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
		return s, s.HandshakeContext(ctx)
	}
	b.client = &http.Client{Transport: transport, Timeout: patience}
	t.Cleanup(transport.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, p.url+"/livez", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := b.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.ProtoMajor != 2 {
		t.Fatalf("the server speaks %s, want HTTP/2", resp.Proto)
	}
	return b
}

// records counts the TLS records that are held: one for each last frame.
func (c *cork) records() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for at := 0; at+5 <= len(c.held); n++ {
		at += 5 + int(c.held[at+3])<<8 + int(c.held[at+4])
	}
	return n
}

// gated is a body whose last byte waits.
type gated struct {
	text    string
	waiting *sync.WaitGroup // done when only the last byte is left
	release <-chan struct{}
	at      int
}

func (g *gated) Read(b []byte) (int, error) {
	switch last := len(g.text) - 1; g.at {
	case 0:
		g.at = last
		return copy(b, g.text[:last]), nil
	case last:
		g.waiting.Done()
		<-g.release
		g.at++
		return copy(b, g.text[last:]), nil
	}
	return 0, io.EOF
}

func (b *corked) fire(t testing.TB, calls []call) []answer {
	t.Helper()
	var waiting, all sync.WaitGroup
	waiting.Add(len(calls))
	release := make(chan struct{})
	answers := make([]answer, len(calls))
	for i, c := range calls {
		all.Go(func() {
			body := &gated{text: c.body, waiting: &waiting, release: release}
			req, err := http.NewRequestWithContext(t.Context(), c.method, b.p.url+c.path, body)
			if err != nil {
				t.Error(err)
				return
			}
			req.ContentLength = int64(len(body.text))
			for name, value := range c.header {
				req.Header.Set(name, value)
			}
			resp, err := b.client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.ProtoMajor != 2 {
				t.Errorf("a check = %s %d %s, %v", resp.Proto, resp.StatusCode, text, err)
				return
			}
			answers[i] = answer{resp.StatusCode, text}
		})
	}
	waiting.Wait()
	b.cork.put()
	close(release)
	for deadline := time.Now().Add(patience); b.cork.records() < len(calls); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d last frames are ready, want %d", b.cork.records(), len(calls))
		}
	}
	if n, err := b.cork.pull(); err != nil || n < 10*len(calls) || n > 1<<16 {
		t.Fatalf("the burst was %d bytes, %v; want all last frames in one packet of loopback", n, err)
	}
	all.Wait()
	return answers
}

// certificate makes a key pair for 127.0.0.1 and returns its files.
func certificate(t testing.TB, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for path, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}
