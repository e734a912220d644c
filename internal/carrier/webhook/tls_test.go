package webhook_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/carriertest"
	"github.com/countersign/countersign/internal/carrier/webhook"
	"github.com/countersign/countersign/internal/delivery"
	"github.com/countersign/countersign/internal/message"
)

func TestCertificatesAreCheckedAndShown(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if len(r.TLS.PeerCertificates) != 1 {
			t.Errorf("%d certificates were shown; want 1", len(r.TLS.PeerCertificates))
		}
	}))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	t.Cleanup(s.Close)
	certFile, keyFile := filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	key, err := x509.MarshalPKCS8PrivateKey(s.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: s.Certificate().Raw},
		keyFile:  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	submit := func(change func(*webhook.Config)) delivery.Result {
		cfg := config(s.URL)
		change(&cfg)
		c, err := webhook.New(cfg, webhook.Deps{Receive: (&carriertest.Desk{}).Receive, Log: discard(), Now: time.Now})
		if err != nil {
			t.Fatal(err)
		}
		carriertest.Start(t, c)
		return c.Submit(t.Context(), text(t, message.SMS, "{code}"))
	}
	known := func(c *webhook.Config) { c.CAFile, c.CertFile, c.KeyFile = certFile, certFile, keyFile }
	if r := submit(known); r.Class != delivery.Accepted {
		t.Errorf("Submit = %+v; want Accepted", r)
	}
	if r := submit(func(*webhook.Config) {}); r.Class != delivery.Retry || r.Failure.Code != "tls" {
		t.Errorf("Submit to a certificate that is not trusted = %+v; want Retry, tls", r)
	}
	other := func(c *webhook.Config) {
		known(c)
		c.URL = strings.Replace(c.URL, "127.0.0.1", "localhost", 1)
	}
	if r := submit(other); r.Class != delivery.Retry || r.Failure.Code != "tls" {
		t.Errorf("Submit to a certificate of another name = %+v; want Retry, tls", r)
	}
}
