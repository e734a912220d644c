package proof_test

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
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

// limit is how many codes the bursts' OTPs may compare.
const limit = 3

// burst is how requests are released at once.
type burst interface {
	// fire sends the codes to the OTP, all released in the same moment, and
	// returns what each was answered.
	fire(t testing.TB, id string, codes []string) []string
}

// tally counts answers.
func tally(answers []string) map[string]int {
	n := map[string]int{}
	for _, a := range answers {
		n[a]++
	}
	return n
}

func repeat(code string, n int) []string {
	codes := make([]string, n)
	for i := range codes {
		codes[i] = code
	}
	return codes
}

// bursts fires rounds of bursts of every kind and checks each (V-01).
func bursts(t *testing.T, p *process, b burst, rounds int) {
	t.Helper()
	next := 0
	send := func() string {
		next++
		id, err := idOf(p.must(202, "POST", "/2fa/v4/otp", sendBody(fmt.Sprintf("+4917%09d9", next), "483920")))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	attempts := func(id string) int {
		var rec struct {
			AttemptCount int `json:"attemptCount"`
		}
		if err := json.Unmarshal(p.must(200, "GET", "/2fa/v4/otp/"+id, ""), &rec); err != nil {
			t.Fatal(err)
		}
		return rec.AttemptCount
	}
	verified := 0
	for range rounds {
		id := send()
		got := tally(b.fire(t, id, repeat("000000", 100)))
		if got["WRONG_CODE"] != limit-1 || got["TOO_MANY_ATTEMPTS"] != 100-limit+1 || attempts(id) != limit {
			t.Fatalf("100 wrong codes at once: answers %v, %d attempts; want exactly %d evaluated", got, attempts(id), limit)
		}
		id = send()
		got = tally(b.fire(t, id, repeat("483920", 100)))
		if got["VERIFIED"] != 1 || got["ALREADY_REPORTED"] != 99 || attempts(id) != 1 {
			t.Fatalf("100 right codes at once: answers %v, %d attempts; want one VERIFIED", got, attempts(id))
		}
		// Whether the right one is among the first is chance; that no more than
		// the limit are evaluated is not.
		id = send()
		codes := repeat("000000", 100)
		for i := range 20 {
			codes[5*i] = "483920"
		}
		got = tally(b.fire(t, id, codes))
		n := attempts(id)
		switch {
		case got["VERIFIED"] == 0 && (got["WRONG_CODE"] != limit-1 || got["TOO_MANY_ATTEMPTS"] != 100-limit+1 || n != limit),
			got["VERIFIED"] == 1 && (got["WRONG_CODE"] != n-1 || got["ALREADY_REPORTED"] != 100-n || n > limit),
			got["VERIFIED"] > 1:
			t.Fatalf("80 wrong and 20 right codes at once: answers %v, %d attempts", got, n)
		}
		verified += got["VERIFIED"]
	}
	t.Logf("%d rounds of 3 bursts of 100; of the mixed ones %d verified", rounds, verified)
}

func TestABurstIsCountedExactly(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	p.configure(limit)
	bursts(t, p, withheld{p, newWires(t, p, 100)}, 25)
}

func TestAnHTTP2BurstIsCountedExactly(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert, key := certificate(t, dir)
	p := serve(t, dir, "COUNTERSIGN_TLS_CERT="+cert, "COUNTERSIGN_TLS_KEY="+key)
	p.configure(limit)
	bursts(t, p, newCorked(t, p), 25)
}

func TestManyParallelGuessesAreCountedExactly(t *testing.T) {
	t.Parallel()
	p := serve(t, t.TempDir())
	p.configure(limit)
	wrong, err := idOf(p.must(202, "POST", "/2fa/v4/otp", sendBody("+4915112345678", "483920")))
	if err != nil {
		t.Fatal(err)
	}
	right, err := idOf(p.must(202, "POST", "/2fa/v4/otp", sendBody("+4915112345679", "483920")))
	if err != nil {
		t.Fatal(err)
	}
	b := withheld{p, newWires(t, p, 300)}
	got := tally(b.fire(t, wrong, repeat("000000", 300)))
	if got["WRONG_CODE"] != 2 || got["TOO_MANY_ATTEMPTS"] != 298 {
		t.Errorf("300 wrong codes at once: answers %v; want 3 evaluated", got)
	}
	if got := string(p.must(200, "GET", "/2fa/v4/otp/"+wrong, "")); !strings.Contains(got, `"attemptCount":3`) {
		t.Errorf("after 300 wrong codes the OTP is %s; want 3 attempts", got)
	}
	got = tally(b.fire(t, right, repeat("483920", 200)))
	if got["VERIFIED"] != 1 || got["ALREADY_REPORTED"] != 199 {
		t.Errorf("200 right codes at once: answers %v; want one VERIFIED", got)
	}
}

// withheld fires over HTTP/1.1: each request on its own connection but for its
// last byte, then the last bytes.
type withheld struct {
	p     *process
	wires []*wire
}

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

func (b withheld) fire(t testing.TB, id string, codes []string) []string {
	t.Helper()
	for i, code := range codes {
		body := codeBody(code)
		_, err := fmt.Fprintf(b.wires[i], "POST /2fa/v4/otp/%s/validate HTTP/1.1\r\nHost: x\r\napiKey: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			id, b.p.key, len(body), body[:len(body)-1])
		if err != nil {
			t.Fatal(err)
		}
	}
	release := make(chan struct{})
	answers := make([]string, len(codes))
	var all sync.WaitGroup
	for i, code := range codes {
		all.Go(func() {
			<-release
			if _, err := b.wires[i].Write([]byte{codeBody(code)[len(codeBody(code))-1]}); err != nil {
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
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("a check = %d %s, %v", resp.StatusCode, body, err)
				return
			}
			answers[i] = statusOf(body)
		})
	}
	close(release)
	all.Wait()
	return answers
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

func (b *corked) fire(t testing.TB, id string, codes []string) []string {
	t.Helper()
	var waiting, all sync.WaitGroup
	waiting.Add(len(codes))
	release := make(chan struct{})
	answers := make([]string, len(codes))
	for i, code := range codes {
		all.Go(func() {
			body := &gated{text: codeBody(code), waiting: &waiting, release: release}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.p.url+"/2fa/v4/otp/"+id+"/validate", body)
			if err != nil {
				t.Error(err)
				return
			}
			req.ContentLength = int64(len(body.text))
			req.Header.Set("apiKey", b.p.key)
			req.Header.Set("Content-Type", "application/json")
			resp, err := b.client.Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
				t.Errorf("a check = %s %d %s, %v", resp.Proto, resp.StatusCode, text, err)
				return
			}
			answers[i] = statusOf(text)
		})
	}
	waiting.Wait()
	b.cork.put()
	close(release)
	for deadline := time.Now().Add(patience); b.cork.records() < len(codes); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d last frames are ready, want %d", b.cork.records(), len(codes))
		}
	}
	if n, err := b.cork.pull(); err != nil || n < 10*len(codes) || n > 1<<16 {
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
