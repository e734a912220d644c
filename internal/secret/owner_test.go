//go:build unix

package secret_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
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

// owned is a file as it is, but somebody's.
type owned struct {
	fs.FileInfo
	uid uint32
}

func (o owned) Sys() any { return &syscall.Stat_t{Uid: o.uid} }

func TestAKeyFileThatSomebodyElsePutThereIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secret.key")
	if _, err := secret.CreateRootFile(path); err != nil {
		t.Fatal(err)
	}
	us := uint32(os.Geteuid())
	somebody := us + 12345
	owners := map[string]uint32{path: somebody, dir: us}
	stat := func(path string) (fs.FileInfo, error) {
		info, err := os.Stat(path)
		return owned{info, owners[path]}, err
	}
	if _, err := secret.ReadRootFileWith(path, stat); !errors.Is(err, secret.ErrForeignFile) {
		t.Errorf("reading it = %v; want ErrForeignFile", err)
	}
	owners[dir] = somebody // a server's of that user
	if _, err := secret.ReadRootFileWith(path, stat); err != nil {
		t.Errorf("reading it in a directory of the same owner = %v", err)
	}
}

func TestTheZeroRootRevealsNothing(t *testing.T) {
	t.Parallel()
	if got := (secret.Root{}).Reveal(); got != "" {
		t.Errorf("Reveal = %q; want nothing", got)
	}
}
