package config_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/config"
)

// secretFile is a file with a secret, of this mode.
func secretFile(t *testing.T, mode fs.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(path, []byte("hush-hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestASettingsFileThatAnybodyMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	for mode, refused := range map[fs.FileMode]bool{0o600: false, 0o644: false, 0o664: false, 0o666: true, 0o602: true} {
		path := file(t, `sender = "Acme"`)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		c, err := config.Load(config.Sources{File: path})
		if refused != (err != nil && strings.Contains(err.Error(), "anybody may write to it") && strings.Contains(err.Error(), path)) {
			t.Errorf("mode %04o: Load = %v; want refused %v", mode, err, refused)
		}
		if !refused && c.File() != path {
			t.Errorf("mode %04o: File = %q; want %q", mode, c.File(), path)
		}
	}
}

func TestASecretFromAFileThatAnybodyMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	for mode, refused := range map[fs.FileMode]bool{0o600: false, 0o444: false, 0o660: false, 0o606: true, 0o666: true} {
		path := secretFile(t, mode)
		c, err := config.Load(config.Sources{File: file(t, "[[carrier]]\nname = \"a\"\ntype = \"x\"\npassword = \"file:"+path+"\"\n")})
		if err != nil {
			t.Fatal(err)
		}
		if got := c.SecretFiles(); len(got) > 0 {
			t.Errorf("before it is read SecretFiles = %q; want none", got)
		}
		got := ""
		r := c.Carriers[0].Read()
		r.Text("name", new(string))
		r.Text("type", new(string))
		r.Secret("password", func(s string) { got = s })
		err = r.End()
		if refused {
			if err == nil || got != "" || !strings.Contains(err.Error(), path+": anybody may write to it") {
				t.Errorf("mode %04o: read %q, %v; want it refused", mode, got, err)
			}
			continue
		}
		if err != nil || got != "hush-hush" || !slices.Equal(c.SecretFiles(), []string{path}) {
			t.Errorf("mode %04o: read %q, %v, SecretFiles %q; want the secret and its file", mode, got, err, c.SecretFiles())
		}
	}
}
