package callback_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/callback"
)

// certificate is a self-signed one for an address.
func certificate(t *testing.T, address string, ends time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: ends.AddDate(-1, 0, 0), NotAfter: ends,
		IPAddresses: []net.IP{net.ParseIP(address)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// shakes is a receiver that does nothing but handshakes. It leaves the
// connection's end to the other side, so that what it said arrives.
func shakes(t *testing.T, c *tls.Config) func(net.Conn) {
	t.Helper()
	return func(conn net.Conn) {
		_ = tls.Server(conn, c).HandshakeContext(t.Context())
		_, _ = io.Copy(io.Discard, conn)
	}
}

func TestAHandshakeThatFailsIsNamedTLS(t *testing.T) {
	t.Parallel()
	good := certificate(t, "127.0.0.1", time.Now().AddDate(1, 0, 0))
	expired := certificate(t, "127.0.0.1", time.Now().AddDate(0, 0, -1))
	foreign := certificate(t, "127.0.0.2", time.Now().AddDate(1, 0, 0))
	with := func(cert tls.Certificate, change func(*tls.Config)) func(net.Conn) {
		c := &tls.Config{Certificates: []tls.Certificate{cert}}
		change(c)
		return shakes(t, c)
	}
	unchanged := func(*tls.Config) {}
	roots := x509.NewCertPool()
	for _, c := range []tls.Certificate{good, expired, foreign} {
		roots.AddCert(c.Leaf)
	}
	trusting := func(c *callback.Config) { c.RootCAs = roots }
	wary := func(*callback.Config) {}
	for _, c := range []struct {
		name  string
		serve func(net.Conn)
		trust func(*callback.Config)
	}{
		{"self-signed", with(good, unchanged), wary},
		{"expired", with(expired, unchanged), trusting},
		{"of another host", with(foreign, unchanged), trusting},
		{"TLS 1.1 at most", with(good, func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS10, tls.VersionTLS11 }), trusting},
		{"TLS 1.0 though not offered", serverHelloOfTLS10, trusting},
		{"a client's certificate, TLS 1.2", with(good, func(c *tls.Config) {
			c.ClientAuth, c.MaxVersion = tls.RequireAndVerifyClientCert, tls.VersionTLS12
		}), trusting},
		{"a client's certificate, TLS 1.3", with(good, func(c *tls.Config) { c.ClientAuth = tls.RequireAndVerifyClientCert }), trusting},
		{"no certificate for the host", shakes(t, &tls.Config{}), trusting},
		{"hangs up", readOnce, trusting},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p, to := tester(t, strings.Replace(listen(t, c.serve), "http:", "https:", 1), c.trust)
			if o := p.Test(t.Context(), to); o.Status != 0 || o.Problem != callback.ProblemTLS {
				t.Errorf("status %d, problem %q, want %q", o.Status, o.Problem, callback.ProblemTLS)
			}
		})
	}
}

// readOnce takes a ClientHello and says nothing.
func readOnce(c net.Conn) { _, _ = c.Read(make([]byte, 16<<10)) }

// serverHelloOfTLS10 answers like a server that knows no later version and
// sends no alert for it.
func serverHelloOfTLS10(c net.Conn) {
	readOnce(c)
	hello := "\x03\x01" + strings.Repeat("r", 32) + "\x00" + "\xc0\x13" + "\x00" // version, random, session, suite, compression
	hello = "\x02\x00\x00" + string(rune(len(hello))) + hello
	_, _ = io.WriteString(c, "\x16\x03\x01\x00"+string(rune(len(hello)))+hello)
	_, _ = io.Copy(io.Discard, c)
}

func TestAHandshakeThatDoesNotEndIsATimeout(t *testing.T) {
	t.Parallel()
	url := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	p, to := tester(t, strings.Replace(url, "http:", "https:", 1), func(c *callback.Config) { c.Timeout = 50 * time.Millisecond })
	if o := p.Test(t.Context(), to); o.Problem != callback.ProblemTimeout {
		t.Errorf("problem %q, want %q", o.Problem, callback.ProblemTimeout)
	}
}
