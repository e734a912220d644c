package server_test

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/server"
)

// A root key that is no sample, and another.
const (
	rootA = "zl387V7bFfCBAz1D86hSpyAs9ASFyybnwmkpIf9Lr7I="
	rootB = "xmCV0Jv8R/CxFSTnGFEZHND9jtWkYRtTyST7vBUZb/w="
)

// open opens the deployment whose database is in dir and closes it again.
func open(t *testing.T, dir string, environ ...string) error {
	t.Helper()
	d, err := server.Open(t.Context(), fileSettings(t, dir, environ...), slog.New(slog.DiscardHandler), server.Options{})
	if err != nil {
		return err
	}
	return d.Close()
}

// refused fails the test unless err is a refusal that says want.
func refused(t *testing.T, err error, want string) {
	t.Helper()
	r, ok := errors.AsType[*server.RefusalError](err)
	if !ok || !strings.Contains(err.Error(), want) || r.Expected == "" {
		t.Errorf("error %v; want a refusal that says %q and what was expected", err, want)
	}
}

func mode(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestANewDeploymentIsPrivateToItsOwner(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	if err := open(t, dir); err != nil {
		t.Fatal(err)
	}
	if got := mode(t, dir); got != 0o700 {
		t.Errorf("directory mode %04o; want 0700", got)
	}
	for _, file := range []string{"secret.key", "countersign.db"} {
		if got := mode(t, filepath.Join(dir, file)); got != 0o600 {
			t.Errorf("%s mode %04o; want 0600", file, got)
		}
	}
}

func TestADatabaseWithoutItsKeyFileIsRefusedAndGetsNoNewOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := open(t, dir); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "secret.key")
	if err := os.Rename(key, key+".away"); err != nil {
		t.Fatal(err)
	}
	refused(t, open(t, dir), "exists, its key file")
	if _, err := os.Stat(key); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a new key file was made")
	}
	if err := os.Rename(key+".away", key); err != nil {
		t.Fatal(err)
	}
	if err := open(t, dir); err != nil {
		t.Errorf("with its key back: %v", err)
	}
}

func TestAKeyFileThatCannotBeTrustedIsRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text string
		mode fs.FileMode
		want string
	}{
		"readable by others": {rootA, 0o604, "may be read by others"},
		"readable by group":  {rootA, 0o640, "may be read by others"},
		"short":              {"c2hvcnQ=", 0o600, "not 32 bytes"},
		"empty":              {"", 0o600, "not 32 bytes"},
		"no base64":          {"hello world", 0o600, "not 32 bytes"},
		"all zeros":          {strings.Repeat("A", 43) + "=", 0o600, "sample"},
		"counting":           {"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", 0o600, "sample"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, "secret.key")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.mode); err != nil {
				t.Fatal(err)
			}
			err := open(t, dir)
			refused(t, err, c.want)
			if c.text != "" && strings.Contains(err.Error(), c.text) {
				t.Error("the refusal shows the key")
			}
		})
	}
}

func TestADatabaseOfAnotherKeyIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	a, b := "COUNTERSIGN_SECRET_KEY="+rootA, "COUNTERSIGN_SECRET_KEY="+rootB
	if err := open(t, dir, a); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "secret.key")); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a key file was made beside a key that was set")
	}
	refused(t, open(t, dir, b), "does not fit")
	if err := open(t, dir, a); err != nil {
		t.Errorf("the refusal changed the database: %v", err)
	}
	if err := open(t, dir, b, "COUNTERSIGN_SECRET_KEY_PREVIOUS="+rootA); err != nil {
		t.Errorf("a new key with the old one listed: %v", err)
	}
	refused(t, open(t, dir, a), "does not fit") // it is the new key's now
}

func TestAFileThatIsNoDatabaseIsRefusedUntouched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "countersign.db")
	const text = "not a database, but somebody's letters, of more than one page or less"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, open(t, dir, "COUNTERSIGN_SECRET_KEY="+rootA), "cannot be opened")
	if got, err := os.ReadFile(path); err != nil || string(got) != text {
		t.Errorf("the file is now %q, %v", got, err)
	}
}

func TestADataDirectoryThatAnybodyMayWriteToIsRefused(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	chmod(t, dir, 0o777)
	refused(t, open(t, dir), "anybody may write")
	chmod(t, dir, 0o773)
	refused(t, open(t, dir), "anybody may write to the data directory "+dir+", mode 0773")
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, open(t, filepath.Join(file, "below")), "cannot be made (data_dir from environment variable COUNTERSIGN_DATA_DIR)")
}

// Nobody can exchange others' files there, and theirs are not taken.
func TestAStickyDirectoryIsWarnedOf(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	chmod(t, dir, 0o777|fs.ModeSticky)
	if log := start(t, dir).log.String(); !strings.Contains(log, "others may look into a directory") || !strings.Contains(log, "1777") {
		t.Errorf("log %q; want a warning with the mode", log)
	}
}

func TestTheFirstAccountIsMadeOnceAndItsKeyIsTheOneThatWasSet(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const chosen = "Bootstrap-Key-0123456789"
	environ := []string{"COUNTERSIGN_BOOTSTRAP_API_KEY=" + chosen, "COUNTERSIGN_BOOTSTRAP_API_LOGIN=ops@example.com"}
	first := start(t, dir, environ...)
	if out := first.out.String(); strings.Contains(out, "API key") || strings.Contains(out, chosen) || !strings.Contains(out, "\naccount default\n") {
		t.Errorf("printed %q; want the account and no key", out)
	}
	if log := first.log.String(); !strings.Contains(log, "bootstrap API key is short") || strings.Contains(log, chosen) {
		t.Errorf("log %q; want a warning without the key", log)
	}
	first.key = chosen
	first.must(200, "GET", "/2fa/v4/otp", "")
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	second := start(t, dir, "COUNTERSIGN_BOOTSTRAP_API_KEY=another-bootstrap-key-of-many-characters")
	if !strings.Contains(second.log.String(), "ignored") {
		t.Errorf("log %q; want that the bootstrap key is ignored", second.log)
	}
	second.key = "another-bootstrap-key-of-many-characters"
	second.must(403, "GET", "/2fa/v4/otp", "")
	second.key = chosen
	second.must(200, "GET", "/2fa/v4/otp", "")
}

func TestADeploymentWithAccountsGetsNoDefaultOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := server.Open(t.Context(), settings(t, dir), slog.New(slog.DiscardHandler), server.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Store.CreateAccount(t.Context(), acme(d)); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if out := start(t, dir).out.String(); strings.Contains(out, "default") || strings.Contains(out, "API key") {
		t.Errorf("printed %q; want the address alone", out)
	}
}
