package smpp_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/carrier/smpp"
)

func TestAKeyWhereTheNameOfItsFileBelongsIsRefusedAndNotRepeated(t *testing.T) {
	t.Parallel()
	const body = "MHcCAQEEIBkg4LVWM9nuwNSk3yByxZpYRTBnVJk5ooZCcT3tHZ5moAoGCCqGSM49"
	const pem = "-----BEGIN EC PRIVATE KEY-----\n" + body + "\n-----END EC PRIVATE KEY-----\n"
	file := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for key, change := range map[string]func(*smpp.Config){
		"tls_ca_file":   func(c *smpp.Config) { c.CAFile = pem },
		"tls_cert_file": func(c *smpp.Config) { c.CertFile, c.KeyFile = pem, file },
		"tls_key_file":  func(c *smpp.Config) { c.CertFile, c.KeyFile = file, pem },
	} {
		c := config()
		c.TLS = true
		change(&c)
		err := c.Validate()
		if wrong, ok := errors.AsType[*setting.KeyError](err); !ok || wrong.Key != key || strings.Contains(err.Error(), body) {
			t.Errorf("%s: Validate = %v; want the key named and nothing repeated", key, err)
		}
	}
}

// What package resolve promises of name servers that are down is tested there.
func TestALinkAsksNameServersAsTheOtherCarriersDo(t *testing.T) {
	t.Parallel()
	if r := smpp.NewNetDialer().Resolver; r == nil || !r.PreferGo || r.Dial == nil {
		t.Errorf("the dialer's resolver is %+v; want one of package resolve", r)
	}
}
