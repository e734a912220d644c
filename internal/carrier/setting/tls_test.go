package setting_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/carrier/setting"
)

func TestAKeyWhereTheNameOfItsFileBelongsIsRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	const body = "MHcCAQEEIBkg4LVWM9nuwNSk3yByxZpYRTBnVJk5ooZCcT3tHZ5moAoGCCqGSM49"
	const pem = "-----BEGIN EC PRIVATE KEY-----\n" + body + "\n-----END EC PRIVATE KEY-----\n"
	file := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ key, ca, cert, own string }{
		{"tls_ca_file", pem, "", ""},
		{"tls_ca_file", body, "", ""},
		{"tls_cert_file", "", pem, file},
		{"tls_key_file", "", file, pem},
		{"tls_key_file", "", file, body},
	} {
		_, err := setting.LoadTLS(c.ca, c.cert, c.own)
		wrong, ok := errors.AsType[*setting.KeyError](err)
		if !ok || wrong.Key != c.key || strings.Contains(err.Error(), body) {
			t.Errorf("LoadTLS(%q, %q, %q) = %v; want %s named and nothing repeated", c.ca, c.cert, c.own, err, c.key)
		}
	}
}
