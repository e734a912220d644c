package browsertest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// serveGuarded starts a server that speaks TLS and has a public address: only
// passwords sign in, and cookies are as strict as they come.
func serveGuarded(t testing.TB, binary string) *server {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, kind string, raw []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return serve(
		t, binary, "COUNTERSIGN_PUBLIC_URL=https://127.0.0.1:PORT",
		"COUNTERSIGN_TLS_CERT="+write("cert.pem", "CERTIFICATE", certificate), "COUNTERSIGN_TLS_KEY="+write("key.pem", "PRIVATE KEY", private),
	)
}

func (f *fixture) passwords(t *testing.T) {
	f.browser.run(t, "passwords", f.guarded.args(t, nil), nil)
}

func (f *fixture) trace(t *testing.T) {
	f.browser.run(t, "trace", f.guarded.args(t, map[string]any{
		"owner": f.guarded.invite(t, "owner"), "support": f.guarded.invite(t, "support"),
	}), nil)
}

func (f *fixture) forged(t *testing.T) {
	f.browser.run(t, "forged", f.local.args(t, nil), nil)
}

func (f *fixture) stolen(t *testing.T) {
	var times struct{ Left int64 }
	f.browser.run(t, "stolen", f.local.args(t, nil), &times)
	t.Logf("the thief's open page was left %d ms after the sign-out", times.Left)
}

func (f *fixture) injected(t *testing.T) {
	f.browser.run(t, "injected", f.local.args(t, nil), nil)
}

func (f *fixture) framed(t *testing.T) {
	f.browser.run(t, "framed", f.local.args(t, nil), nil)
}
