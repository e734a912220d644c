//go:build unix

package server_test

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/countersign/countersign/internal/server"
)

func TestAServerThatUsesADatabaseByAnotherNameIsNotAlone(t *testing.T) {
	t.Parallel()
	dir := fresh(t)
	other := t.TempDir()
	for _, link := range []string{"second.db", "first.db"} { // one to the file, and one to that one
		target := map[string]string{"second.db": filepath.Join(dir, "countersign.db"), "first.db": "second.db"}[link]
		if err := os.Symlink(target, filepath.Join(other, link)); err != nil {
			t.Fatal(err)
		}
	}
	key, err := os.ReadFile(filepath.Join(dir, "secret.key"))
	if err != nil {
		t.Fatal(err)
	}
	alias := "COUNTERSIGN_DATABASE_URL=sqlite:" + filepath.Join(other, "first.db")
	launchServer(t, &server.Server{Config: fileSettings(t, dir), Notice: notice}).await()
	s := &server.Server{Config: fileSettings(t, other, alias, "COUNTERSIGN_SECRET_KEY="+strings.TrimSpace(string(key))), Notice: notice}
	second := launchServer(t, s).await()
	if said := second.log.String(); !strings.Contains(said, "another server uses this database") {
		t.Errorf("the second server thinks that it is alone:\n%s", said)
	}
	_, err = server.MoveIn(t.Context(), s.Config, filepath.Join(other, "first.db"), "", slog.New(slog.DiscardHandler))
	refused(t, err, "a server uses database "+filepath.Join(dir, "countersign.db"))
	if beside, err := filepath.Glob(filepath.Join(other, "*.db.*")); err != nil || len(beside) > 0 {
		t.Errorf("beside the other names are %v, %v; want no lock", beside, err)
	}
}

func TestADatabaseIsMadeWhereALinkLeadsThoughNothingIsThere(t *testing.T) {
	t.Parallel()
	dir, there := t.TempDir(), t.TempDir()
	if err := os.Symlink(filepath.Join(there, "x.db"), filepath.Join(dir, "countersign.db")); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, filepath.Join(there, "x.db")); got != 0o600 {
		t.Errorf("mode %04o; want 0600", got)
	}
}

// Root's commands and the server of another user work on the same files.
func TestWhatRootMakesInAnothersDirectoryBelongsToThatUser(t *testing.T) {
	t.Parallel()
	dir, want := anothers(t)
	d, err := server.Open(t.Context(), fileSettings(t, dir), slog.New(slog.DiscardHandler), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	belong(t, dir, want, "secret.key", "countersign.db", "countersign.db-wal", "countersign.db-shm")
	backup := filepath.Join(t.TempDir(), "backup.db")
	if err := d.Backup(t.Context(), backup); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "countersign.db")); err != nil {
		t.Fatal(err)
	}
	if _, err := server.Restore(t.Context(), fileSettings(t, dir), backup, server.Options{}, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	belong(t, dir, want, "countersign.db")
}

// anothers returns a directory of another user, where the test runs as root, and
// whose it is.
func anothers(t *testing.T) (dir string, uid int) {
	t.Helper()
	dir, uid = t.TempDir(), os.Geteuid()
	if uid == 0 {
		uid = 65534
		if err := os.Chown(dir, uid, uid); err != nil {
			t.Fatal(err)
		}
	}
	return dir, uid
}

// belong fails the test unless the files in dir are the user's.
func belong(t *testing.T, dir string, uid int, files ...string) {
	t.Helper()
	for _, file := range files {
		var info fs.FileInfo
		info, err := os.Stat(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; int(got) != uid {
			t.Errorf("%s belongs to %d; want %d", file, got, uid)
		}
	}
}

func TestOnlyAConsoleThatBrowsersReachOnLoopbackKeepsCookiesOverPlainHTTP(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]bool{
		"": false, "http://127.0.0.1:8080": false, "http://localhost": false, "http://[::1]:8080": false,
		"https://localhost": true, "http://otp.example.com": true, "https://otp.example.com": true, "http://10.0.0.1:8080": true,
	} {
		c := fileSettings(t, t.TempDir(), "COUNTERSIGN_PUBLIC_URL="+public)
		if got := server.SecureCookies(c); got != want {
			t.Errorf("public_url %q: Secure %v; want %v", public, got, want)
		}
	}
}

func TestThePublicAddressIsTheOneThatBrowsersSend(t *testing.T) {
	t.Parallel()
	for public, want := range map[string]string{
		"https://OTP.Example.com": "https://otp.example.com", "https://otp.example.com:443/base": "https://otp.example.com",
		"http://otp.example.com:80": "http://otp.example.com", "https://otp.example.com:8443": "https://otp.example.com:8443",
		"http://otp.example.com:443": "http://otp.example.com:443", "https://[2001:DB8::1]:443": "https://[2001:db8::1]",
	} {
		c := fileSettings(t, t.TempDir(), "COUNTERSIGN_PUBLIC_URL="+public)
		if got := server.Origin(c); got != want {
			t.Errorf("public_url %s: origin %s; want %s", public, got, want)
		}
	}
}
