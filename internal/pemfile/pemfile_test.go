package pemfile_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/pemfile"
)

func TestWhatStandsWhereAPathBelongsIsNeverRepeated(t *testing.T) {
	t.Parallel()
	const body = "MHcCAQEEIBkg4LVWM9nuwNSk3yByxZpYRTBnVJk5ooZCcT3tHZ5moAoGCCqGSM49"
	for _, c := range []struct {
		path string
		want error
	}{
		{"-----BEGIN EC PRIVATE KEY-----\n" + body + "\n-----END EC PRIVATE KEY-----\n", pemfile.ErrInPlace},
		{`-----BEGIN EC PRIVATE KEY-----\n` + body, pemfile.ErrInPlace},
		{body + "\r" + body, pemfile.ErrInPlace},
		{body, fs.ErrNotExist},
	} {
		_, err := pemfile.Read(c.path)
		if !errors.Is(err, c.want) || strings.Contains(err.Error(), body) {
			t.Errorf("Read(%q) = %v, want %v and nothing of the path", c.path, err, c.want)
		}
	}
}

func TestAFileIsReadAsItIs(t *testing.T) {
	t.Parallel()
	const held = "-----BEGIN CERTIFICATE-----\n"
	path := filepath.Join(t.TempDir(), "cert.pem")
	if err := os.WriteFile(path, []byte(held), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := pemfile.Read(path); string(got) != held || err != nil {
		t.Errorf("Read = %q, %v; want %q", got, err, held)
	}
}

func TestALineBreakAfterAPathIsNamed(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"c.pem\r", "c.pem\n", "c.pem\r\n"} {
		if _, err := pemfile.Read(path); !errors.Is(err, pemfile.ErrLineBreak) {
			t.Errorf("Read(%q) = %v; want ErrLineBreak", path, err)
		}
	}
}
