package server_test

import (
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/server"
)

// A resolver may answer for localhost, such as with a wildcard of its search
// domain.
func TestALoopbackNameThatLeadsElsewhereIsNotListenedOn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		configured, address string
		want                bool
	}{
		{"localhost:0", "127.0.0.1:0", true},
		{"LOCALHOST:0", "127.0.0.1:0", true},
		{"localhost:0", "0.0.0.0:0", false},
		{"localhost:0", "[::]:0", false},
		{"example.com:0", "0.0.0.0:0", true}, // TLS, or the operator's word
	} {
		l, err := server.ListenOn(t.Context(), c.configured, c.address)
		if err == nil {
			_ = l.Close()
		}
		if (err == nil) != c.want {
			t.Errorf("%s at %s: %v; want listened on %v", c.configured, c.address, err, c.want)
		}
		if c.want {
			continue
		}
		refused(t, server.NoListener("admin_listen", err), "others may reach it")
	}
}

func TestTheZoneOfAnAddressIsWrittenAsURLsHaveIt(t *testing.T) {
	t.Parallel()
	for configured, want := range map[string]string{
		"[::1%lo]:0": "[::1%25lo]:4711", "[::1]:0": "[::1]:4711", "localhost:0": "localhost:4711", ":0": "127.0.0.1:4711",
	} {
		if got := server.ShownAddress(configured, &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 4711}); got != want {
			t.Errorf("%s is shown as %s; want %s", configured, got, want)
		}
	}
}

func TestAServerWithoutCertificateAuthoritiesSaysSo(t *testing.T) {
	t.Parallel()
	one := x509.NewCertPool()
	one.AddCert(&x509.Certificate{Raw: []byte("a certificate"), RawSubject: []byte("somebody")})
	for _, c := range []struct {
		pool *x509.CertPool
		err  error
		want bool
	}{{x509.NewCertPool(), nil, true}, {nil, errors.New("none"), true}, {one, nil, false}} {
		log := &buffer{}
		server.WarnWithoutAuthorities(t.Context(), slog.New(slog.NewTextHandler(log, nil)), func() (*x509.CertPool, error) { return c.pool, c.err })
		if got := strings.Contains(log.String(), "no certificate authorities"); got != c.want {
			t.Errorf("with %v, %v it said %q; want a warning %v", c.pool, c.err, log, c.want)
		}
	}
}

func TestFilesOfSettingsAndSecretsWithLooseRightsAreWarnedOf(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		settings, secret fs.FileMode
		want             int
	}{{0o644, 0o600, 0}, {0o664, 0o600, 1}, {0o600, 0o640, 1}, {0o660, 0o664, 2}} {
		dir := t.TempDir()
		secret, settings := filepath.Join(dir, "password"), filepath.Join(dir, "countersign.toml")
		for path, text := range map[string]string{
			secret:   "whsec_" + strings.Repeat("a", 32),
			settings: fmt.Sprintf("[[carrier]]\nname = \"direct\"\ntype = \"webhook\"\nurl = \"https://carrier.example.com\"\nsecret = \"file:%s\"\n", secret),
		} {
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		chmod(t, secret, c.secret)
		chmod(t, settings, c.settings)
		log := &buffer{}
		s := &server.Server{
			Config: fileSettings(t, filepath.Join(dir, "data"), "COUNTERSIGN_CONFIG="+settings), Log: slog.New(slog.NewTextHandler(log, nil)),
		}
		if err := server.CheckCarriers(s.Config, s.Log); err != nil {
			t.Fatal(err)
		}
		s.WarnOfFiles(t.Context())
		if got := strings.Count(log.String(), "level=WARN"); got != c.want {
			t.Errorf("settings of mode %04o, secret of mode %04o: logged\n%s\nwant %d warnings", c.settings, c.secret, log, c.want)
		}
	}
}
