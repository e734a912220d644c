package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/server"
)

// chmod sets the rights of a file whatever the process's mask.
func chmod(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func TestADatabaseFileThatOthersMayWriteIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := open(t, dir); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "countersign.db")
	for _, loose := range []fs.FileMode{0o602, 0o620, 0o666} {
		chmod(t, path, loose)
		refused(t, open(t, dir), fmt.Sprintf("%s, mode %04o", path, loose))
	}
	chmod(t, path, 0o600)
	if err := os.WriteFile(path+"-wal", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	chmod(t, path+"-wal", 0o646)
	refused(t, open(t, dir), path+"-wal, mode 0646")
	if err := os.Remove(path + "-wal"); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir); err != nil {
		t.Errorf("with mode 0600 again: %v", err)
	}
	chmod(t, path, 0o644)
	var out bytes.Buffer
	d, err := server.Open(t.Context(), fileSettings(t, dir), slog.New(slog.NewTextHandler(&out, nil)), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if said := out.String(); strings.Count(said, "others may read a file") != 1 || !strings.Contains(said, path) {
		t.Errorf("logged %q; want a warning about %s", said, path)
	}
}

func TestADatabaseElsewhereIsGuardedByItsDirectoryToo(t *testing.T) {
	t.Parallel()
	elsewhere := t.TempDir()
	url := "COUNTERSIGN_DATABASE_URL=sqlite:" + filepath.Join(elsewhere, "x.db")
	dir := filepath.Join(t.TempDir(), "data")
	chmod(t, elsewhere, 0o777)
	refused(t, open(t, dir, url), "anybody may write to the database's directory")
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data directory after the refusal: %v; want none", err)
	}
	chmod(t, elsewhere, 0o755)
	var out bytes.Buffer
	d, err := server.Open(t.Context(), fileSettings(t, dir, url), slog.New(slog.NewTextHandler(&out, nil)), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if said := out.String(); strings.Count(said, "others may look into a directory") != 1 || !strings.Contains(said, elsewhere) {
		t.Errorf("logged %q; want a warning about %s", said, elsewhere)
	}
}

// A key that is made for a database that cannot be made would be taken for that
// of another one later.
func TestADatabaseThatCannotBeMadeLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	refused(t, open(t, dir, "COUNTERSIGN_DATABASE_URL=sqlite:"+filepath.Join(t.TempDir(), "absent", "x.db")), "cannot be read")
	if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the data directory after the refusal: %v; want none", err)
	}
	taken := t.TempDir()
	if err := os.Mkdir(filepath.Join(taken, "x.db.open"), 0o700); err != nil { // where the lock would be
		t.Fatal(err)
	}
	refused(t, open(t, dir, "COUNTERSIGN_DATABASE_URL=sqlite:"+filepath.Join(taken, "x.db")), "cannot be opened")
	if _, err := os.Stat(filepath.Join(dir, "secret.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the key file after the refusal: %v; want none", err)
	}
}

func TestWhatIsWrongWithCertificateOrCarriersIsSaidBeforeADatabaseIsMade(t *testing.T) {
	t.Parallel()
	cert, key, _ := certificate(t)
	loose := filepath.Join(t.TempDir(), "loose.pem")
	text, err := os.ReadFile(key)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(loose, text, 0o600); err != nil {
		t.Fatal(err)
	}
	chmod(t, loose, 0o622)
	for name, c := range map[string]struct {
		toml, want string
	}{
		"no certificate":              {`tls_cert = "absent.pem"` + "\n" + `tls_key = "` + key + `"`, "tls_cert"},
		"a key that others may write": {`tls_cert = "` + cert + `"` + "\n" + `tls_key = "` + loose + `"`, "others may write to tls_key"},
		"a carrier without its secret": {
			"[[carrier]]\nname = \"direct\"\ntype = \"webhook\"\nurl = \"https://carrier.example.com\"\nsecret = \"env:NOPE\"\n", "NOPE is not set",
		},
		"a carrier of no type":        {"[[carrier]]\nname = \"direct\"\ntype = \"pigeon\"\n", "pigeon"},
		"a route that leads nowhere":  {"[[route]]\nchannels = [\"SMS\"]\ncarriers = [\"nobody\"]\n", `there is no carrier "nobody"`},
		"the sandbox where it is not": {"sandbox = \"off\"\n[[route]]\nchannels = [\"SMS\"]\ncarriers = [\"sandbox\"]\n", "the sandbox does not serve here"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "data")
			file := filepath.Join(t.TempDir(), "countersign.toml")
			if err := os.WriteFile(file, []byte(c.toml), 0o600); err != nil {
				t.Fatal(err)
			}
			settings, err := config.Load(config.Sources{File: file, Environ: []string{
				"COUNTERSIGN_DATA_DIR=" + dir, "COUNTERSIGN_LISTEN=127.0.0.1:0", "COUNTERSIGN_ADMIN_LISTEN=",
			}})
			if err != nil {
				t.Fatal(err)
			}
			s := &server.Server{Config: settings, Log: slog.New(slog.DiscardHandler)}
			if err := s.Run(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Run = %v; want %q in it", err, c.want)
			}
			if _, err := os.Stat(dir); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("the data directory after the refusal: %v; want none", err)
			}
		})
	}
}
