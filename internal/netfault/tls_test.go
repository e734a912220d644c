package netfault_test

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/countersign/countersign/internal/netfault"
)

// exchange shakes hands with a server and reads from it; err is what failed.
// The server leaves the connection's end to the client, so that what it said
// arrives.
func exchange(t *testing.T, client, server *tls.Config) error {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer func() { _ = c.Close() }()
		if server == nil {
			_, _ = io.WriteString(c, "220 mail.example.com ESMTP\r\n")
		} else if s := tls.Server(c, server); s.HandshakeContext(t.Context()) == nil {
			_, _ = io.WriteString(s, "x")
		}
		_, _ = io.Copy(io.Discard, c)
	})
	defer serving.Wait()
	defer func() { _ = l.Close() }()
	c, err := (&tls.Dialer{Config: client}).DialContext(t.Context(), "tcp", l.Addr().String())
	if err != nil {
		return err
	}
	defer func() { _ = c.Close() }()
	_, err = c.Read(make([]byte, 1))
	return err
}

func TestFailuresOfTLSAreKnown(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(nil)
	s.Close()
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	late := s.Certificate().NotAfter.Add(time.Hour)
	own := s.TLS.Certificates
	for _, c := range []struct {
		name           string
		client, server *tls.Config
	}{
		{"not trusted", &tls.Config{}, &tls.Config{Certificates: own}},
		{"of another host", &tls.Config{RootCAs: roots, ServerName: "other.test"}, &tls.Config{Certificates: own}},
		{"expired", &tls.Config{RootCAs: roots, Time: func() time.Time { return late }}, &tls.Config{Certificates: own}},
		{"no TLS", &tls.Config{RootCAs: roots}, nil},
		{
			"TLS 1.1 at most", &tls.Config{RootCAs: roots},
			&tls.Config{Certificates: own, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11},
		},
		{
			"a client's certificate, TLS 1.2", &tls.Config{RootCAs: roots},
			&tls.Config{Certificates: own, ClientAuth: tls.RequireAndVerifyClientCert, MaxVersion: tls.VersionTLS12},
		},
		{
			"a client's certificate, TLS 1.3", &tls.Config{RootCAs: roots},
			&tls.Config{Certificates: own, ClientAuth: tls.RequireAndVerifyClientCert},
		},
		{"no protocol in common", &tls.Config{RootCAs: roots, NextProtos: []string{"h2"}}, &tls.Config{Certificates: own, NextProtos: []string{"http/1.0"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := exchange(t, c.client, c.server)
			if !netfault.IsTLS(err) {
				t.Errorf("IsTLS(%v) = false", err)
			}
		})
	}
}

func TestOtherFailuresAreNotOfTLS(t *testing.T) {
	t.Parallel()
	for _, err := range []error{nil, io.EOF, &net.OpError{Op: "dial", Err: errors.New("refused")}, &net.OpError{Op: "read", Err: errors.New("reset")}} {
		if netfault.IsTLS(err) {
			t.Errorf("IsTLS(%v) = true", err)
		}
	}
}
