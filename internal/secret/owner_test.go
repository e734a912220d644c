//go:build unix

package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/countersign/countersign/internal/secret"
)

func TestFilesOfRootAndOfOurselvesAreTrusted(t *testing.T) {
	t.Parallel()
	const us, somebody = 1000, 1001
	for _, c := range []struct {
		owner, us int
		dir, want bool
	}{
		{0, us, false, true},
		{us, us, false, true},
		{somebody, us, false, false},
		{somebody, us, true, false},
		{0, 0, false, true},
		{somebody, 0, false, false},
		{somebody, 0, true, true}, // a command of root beside somebody's server
	} {
		if got := secret.TrustedOwner(c.owner, c.us, c.dir); got != c.want {
			t.Errorf("owner %d, we are %d, a directory %v: trusted %v; want %v", c.owner, c.us, c.dir, got, c.want)
		}
	}
}

func TestAKeyFileThatSomebodyElsePutThereIsRefused(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to somebody")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "secret.key")
	if _, err := secret.CreateRootFile(path); err != nil {
		t.Fatal(err)
	}
	const somebody = 12345
	if err := os.Chown(path, somebody, somebody); err != nil {
		t.Fatal(err)
	}
	if _, err := secret.ReadRootFile(path); !errors.Is(err, secret.ErrForeignFile) {
		t.Errorf("ReadRootFile = %v; want ErrForeignFile", err)
	}
	if err := os.Chown(dir, somebody, somebody); err != nil { // a server's of that user
		t.Fatal(err)
	}
	if _, err := secret.ReadRootFile(path); err != nil {
		t.Errorf("ReadRootFile in a directory of the same owner = %v", err)
	}
}

func TestTheZeroRootRevealsNothing(t *testing.T) {
	t.Parallel()
	if got := (secret.Root{}).Reveal(); got != "" {
		t.Errorf("Reveal = %q; want nothing", got)
	}
}
