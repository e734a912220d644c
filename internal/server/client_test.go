package server_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/client"
)

func TestTheGoClientWorksWithTheServer(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	r := start(t, fresh(t))
	r.configure()
	c, err := client.New(r.url, r.key, client.WithHTTPClient(r.client))
	if err != nil {
		t.Fatal(err)
	}
	message := client.Message{To: "+49 151 12345678", Profile: "login", Priority: "sms-then-voice", Language: "en", IdempotencyKey: "once"}
	id, err := c.Send(ctx, message)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := c.Send(ctx, message); err != nil || again != id {
		t.Errorf("the same Send again = %s, %v; want %s", again, err, id)
	}
	code := sixDigits.FindString(r.inbox(id, 1)[0].Text)
	wrong := "000000"
	if code == wrong {
		wrong = "111111"
	}
	for _, step := range []struct {
		code string
		want client.Status
	}{{wrong, client.WrongCode}, {code, client.Verified}, {code, client.AlreadyReported}} {
		if got, err := c.Validate(ctx, id, step.code); err != nil || got != step.want {
			t.Errorf("Validate = %s, %v; want %s", got, err, step.want)
		}
	}
	o, err := c.Read(ctx, id)
	if err != nil || o.ID != id || o.To != "+4915112345678" || o.Status != client.Verified || o.Attempts != 2 || o.Allowed != 3 || !o.Expires.After(o.Created) {
		t.Errorf("Read = %+v, %v", o, err)
	}
	if all, err := c.List(ctx, client.Filter{To: "+4915112345678", Status: client.Verified}); err != nil || len(all.OTPs) != 1 || all.OTPs[0] != o || all.Truncated {
		t.Errorf("List = %+v, %v; want what Read gave", all, err)
	}
	if all, err := c.List(ctx, client.Filter{Status: client.TooManyAttempts}); err != nil || len(all.OTPs) != 0 {
		t.Errorf("List of another state = %+v, %v; want none", all, err)
	}
	if err := errors.Join(c.Delete(ctx, id), c.Delete(ctx, id)); err != nil {
		t.Errorf("Delete, twice: %v", err)
	}
	if _, err := c.Read(ctx, id); !errors.Is(err, client.ErrNotFound) {
		t.Errorf("Read of a deleted OTP: %v; want ErrNotFound", err)
	}
	_, err = c.Send(ctx, client.Message{To: "nobody", Profile: "login", Priority: "nothing"})
	e, ok := errors.AsType[*client.Error](err)
	if !ok || !errors.Is(err, client.ErrInvalid) || len(e.Violations) == 0 || e.Violations[0].Field != "to" {
		t.Errorf("a wrong number: %v; want a violation of to", err)
	}
	stranger, err := client.New(r.url, "no such key", client.WithHTTPClient(r.client))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.List(ctx, client.Filter{}); !errors.Is(err, client.ErrUnauthorized) {
		t.Errorf("an unknown key: %v; want ErrUnauthorized", err)
	}
}

// certificate writes a certificate for 127.0.0.1 and its key.
func certificate(t *testing.T) (certFile, keyFile string, pool *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool = x509.NewCertPool()
	pool.AppendCertsFromPEM(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	return certFile, keyFile, pool
}

func TestWithACertificateTheAPIsSpeakTLSAndHTTP2(t *testing.T) {
	t.Parallel()
	cert, key, pool := certificate(t)
	r := start(t, fresh(t), "COUNTERSIGN_LISTEN=0.0.0.0:0", "COUNTERSIGN_TLS_CERT="+cert, "COUNTERSIGN_TLS_KEY="+key)
	if !strings.HasPrefix(r.out.String(), "listening on https://") {
		t.Errorf("printed %q; want https", r.out)
	}
	_, port, err := net.SplitHostPort(strings.TrimPrefix(r.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://127.0.0.1:"+port+"/readyz", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := (&http.Client{Transport: transport, Timeout: patience}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Errorf("/readyz = %d over %s; want 200 over HTTP/2", resp.StatusCode, resp.Proto)
	}
}
