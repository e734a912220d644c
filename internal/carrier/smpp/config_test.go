package smpp_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/smpp"
	"github.com/countersign/countersign/internal/delivery"
)

// blocked returns a Receive that waits for release.
func blocked(release chan struct{}) func(context.Context, delivery.Receipt) (bool, error) {
	return func(context.Context, delivery.Receipt) (bool, error) {
		<-release
		return true, nil
	}
}

func TestAWrongKeyIsNamed(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(file, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for key, changes := range map[string][]func(*smpp.Config){
		"name":               {func(c *smpp.Config) { c.Name = "" }, func(c *smpp.Config) { c.Name = strings.Repeat("a", 65) }},
		"host":               {func(c *smpp.Config) { c.Host = "" }, func(c *smpp.Config) { c.Host = "smsc:2775" }, func(c *smpp.Config) { c.Host = "smpp://smsc" }},
		"port":               {func(c *smpp.Config) { c.Port = -1 }, func(c *smpp.Config) { c.Port = 65536 }},
		"mode":               {func(c *smpp.Config) { c.Mode = "receiver" }},
		"binds":              {func(c *smpp.Config) { c.Binds = 17 }, func(c *smpp.Config) { c.Binds = -1 }},
		"system_id":          {func(c *smpp.Config) { c.SystemID = "" }, func(c *smpp.Config) { c.SystemID = "1234567890123456" }},
		"password":           {func(c *smpp.Config) { c.Password = smpp.Password{} }, func(c *smpp.Config) { c.Password = smpp.NewPassword("123456789") }, func(c *smpp.Config) { c.Password = smpp.NewPassword("a\x00") }},
		"system_type":        {func(c *smpp.Config) { c.SystemType = "1234567890123" }},
		"address_range":      {func(c *smpp.Config) { c.AddressRange = strings.Repeat("1", 41) }},
		"tls_ca_file":        {func(c *smpp.Config) { c.TLS, c.CAFile = true, file }, func(c *smpp.Config) { c.TLS, c.CAFile = true, file+"x" }, func(c *smpp.Config) { c.CAFile = file }},
		"tls_cert_file":      {func(c *smpp.Config) { c.TLS, c.KeyFile = true, file }, func(c *smpp.Config) { c.TLS, c.KeyFile, c.CertFile = true, file, file }},
		"tls_server_name":    {func(c *smpp.Config) { c.ServerName = "smpp.example.net" }},
		"tls_key_file":       {func(c *smpp.Config) { c.TLS, c.CertFile = true, file }},
		"allow_plaintext":    {func(c *smpp.Config) { c.Host = "192.0.2.1" }, func(c *smpp.Config) { c.Host = "2001:db8::1" }},
		"window":             {func(c *smpp.Config) { c.Window = 1001 }, func(c *smpp.Config) { c.Window = -1 }},
		"rate":               {func(c *smpp.Config) { c.Rate = -1 }, func(c *smpp.Config) { c.Rate = 1e9 }},
		"service_type":       {func(c *smpp.Config) { c.ServiceType = "123456" }},
		"sender":             {func(c *smpp.Config) { c.Sender = "twelve chars" }},
		"short_code_ton_npi": {func(c *smpp.Config) { c.ShortCode = "3" }},
		"dest_ton_npi":       {func(c *smpp.Config) { c.Dest = "1/256" }},
		"alphabet":           {func(c *smpp.Config) { c.Alphabet = "ascii" }},
		"flash":              {func(c *smpp.Config) { c.Flash, c.Alphabet = true, "latin1" }},
		"long":               {func(c *smpp.Config) { c.Long = "split" }},
		"validity":           {func(c *smpp.Config) { c.Validity = "5m" }},
		"receipts":           {func(c *smpp.Config) { c.Receipts = "all" }},
		"receipt_id":         {func(c *smpp.Config) { c.ReceiptID = "hex" }},
		"statuses":           {func(c *smpp.Config) { c.Statuses = map[string]string{"x": "RETRY"} }, func(c *smpp.Config) { c.Statuses = map[string]string{"0": "RETRY"} }, func(c *smpp.Config) { c.Statuses = map[string]string{"0x58": "ACCEPTED"} }},
		"tlvs":               {func(c *smpp.Config) { c.TLVs = map[string]string{"0x204": "1"} }, func(c *smpp.Config) { c.TLVs = map[string]string{"0x10000": "1"} }},
	} {
		for i, change := range changes {
			cfg := config()
			change(&cfg)
			var wrong *setting.KeyError
			if err := cfg.Validate(); !errors.As(err, &wrong) || wrong.Key != key {
				t.Errorf("%s, %d: Validate = %v; want an error for the key", key, i, err)
			}
			if _, err := smpp.New(cfg, smpp.Deps{}); err == nil {
				t.Errorf("%s, %d: New took it", key, i)
			}
		}
	}
	if err := config().Validate(); err != nil {
		t.Errorf("Validate of the least configuration = %v; want nil", err)
	}
}

func TestAPasswordIsNeverPrinted(t *testing.T) {
	t.Parallel()
	cfg := config()
	printed, err := json.Marshal(cfg.Password)
	if err != nil {
		t.Fatal(err)
	}
	for _, out := range []string{fmt.Sprint(cfg), fmt.Sprintf("%+v", cfg), fmt.Sprintf("%#v", cfg), string(printed)} {
		if strings.Contains(out, "secret") {
			t.Errorf("printed %s", out)
		}
	}
	if other := config(); !cfg.Equal(other) {
		t.Error("two equal configurations differ")
	}
	c, err := smpp.New(cfg, smpp.Deps{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	if !cfg.Equal(c.Config()) {
		t.Error("a carrier's configuration differs from what it was made of")
	}
	other := config()
	if other.Password = smpp.NewPassword("other"); cfg.Equal(other) {
		t.Error("another password makes no difference")
	}
}

func TestNothingIsSentInClearToAPublicAddress(t *testing.T) {
	t.Parallel()
	cfg := config()
	cfg.Host = "::ffff:192.0.2.1"
	if err := cfg.Validate(); err == nil {
		t.Errorf("Validate took %s", cfg.Host)
	}
	// A name is looked at when it is resolved.
	for address, refused := range map[string]bool{
		"127.0.0.1:2775": false, "10.1.2.3:2775": false, "172.31.0.1:2775": false, "192.168.0.1:2775": false,
		"[::1]:2775": false, "[fd00::1]:2775": false, "[fe80::1]:2775": false, "[::ffff:10.0.0.1]:2775": false,
		"192.0.2.1:2775": true, "172.32.0.1:2775": true, "0.0.0.0:2775": true, "[2001:db8::1]:2775": true,
		"[::ffff:192.0.2.1]:2775": true, "100.64.0.1:2775": true, "": true,
	} {
		if err := smpp.RefusePublic("tcp", address, nil); (err != nil) != refused {
			t.Errorf("%q: %v; want refused %t", address, err, refused)
		}
	}
}

// certified writes a certificate for 127.0.0.1 and returns its file and the
// server's side.
func certified(t *testing.T) (file, keyFile string, cert tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}, &x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	file, keyFile = filepath.Join(t.TempDir(), "cert.pem"), filepath.Join(t.TempDir(), "key.pem")
	for name, block := range map[string]*pem.Block{file: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(name, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cert, err = tls.LoadX509KeyPair(file, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	return file, keyFile, cert
}

func TestTLSIsSpokenFromTheFirstOctetAndThePeerIsProven(t *testing.T) {
	t.Parallel()
	file, keyFile, cert := certified(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	s := newSMSC()
	go accept(l, s)
	t.Cleanup(func() { _ = l.Close() })
	cfg := config()
	cfg.Port, cfg.TLS, cfg.CAFile, cfg.CertFile, cfg.KeyFile = l.Addr().(*net.TCPAddr).Port, true, file, file, keyFile
	deps := smpp.Deps{Receive: newDesk().receive, Log: discard(), Now: time.Now}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	c, err := smpp.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(ctx); err != nil {
		t.Errorf("Check = %v; want nil", err)
	}
	for name, change := range map[string]func(*smpp.Config){
		"an authority that is not pinned": func(c *smpp.Config) { c.CAFile = "" },
		"another name":                    func(c *smpp.Config) { c.ServerName = "smsc.example.com" },
	} {
		cfg := cfg
		change(&cfg)
		c, err := smpp.New(cfg, deps)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Check(ctx); err == nil {
			t.Errorf("%s: Check took the peer", name)
		}
	}
	if n := len(s.seen()); n != 0 {
		t.Errorf("%d messages; want none", n)
	}
}

// accept serves connections until l is closed.
func accept(l net.Listener, s *smsc) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		s.serve(conn)
	}
}
