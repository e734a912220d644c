package access_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/console/access"
)

func TestTheQRCodeIsWhatAuthenticatorAppsRead(t *testing.T) {
	t.Parallel()
	text := access.TOTPURL("JBSWY3DPEHPK3PXP", "acme & co", "jo")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Countersign acme & co:jo" {
		t.Errorf("TOTPURL = %s, %v", text, err)
	}
	for name, want := range map[string]string{"secret": "JBSWY3DPEHPK3PXP", "issuer": "Countersign", "digits": "6", "period": "30", "algorithm": "SHA1"} {
		if got := u.Query().Get(name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	qr, err := access.NewQR(text)
	if err != nil {
		t.Fatal(err)
	}
	// A QR code has 21 + 4n modules a side and begins with a finder pattern: seven
	// dark modules, here behind the quiet zone of four.
	if (qr.Size-8-21)%4 != 0 || !strings.HasPrefix(qr.Path, "M4 4h7v1h-7z") {
		t.Errorf("size %d, path %.40s", qr.Size, qr.Path)
	}
}

func TestNamesAreChecked(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"jo": true, "jo@example.com": true, "a": true, "7.up-x_y+z": true, strings.Repeat("a", 63): true,
		"": false, "Jo": false, "-jo": false, "j o": false, "jö": false, strings.Repeat("a", 64): false,
	} {
		if got := access.ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %v, want %v", name, got, want)
		}
	}
}
