// Package secret holds the deployment's keys. One root key of 32 bytes is the
// source of every other key: HKDF-SHA-256 with one label a purpose (C-06).
// The root key is in a file or in the environment, never in the database.
package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
)

// RootSize is the length of a root key in bytes.
const RootSize = 32

const redacted = "[key]"

// Root is a root key. However it is printed, it stays hidden (P-01): fmt shows
// what a pointer to an array points to, but only the address of a string.
type Root struct{ raw *string }

// Errors of reading root keys.
var (
	// ErrRoot: the text is not 32 bytes in base64.
	ErrRoot = errors.New("not 32 bytes in base64")
	// ErrSampleRoot: the key is a repetition, a counting sequence or of few
	// different bytes, as samples are (S-01).
	ErrSampleRoot = errors.New("a sample key, not a random one")
	// ErrLooseFile: others than the owner may read or change the file (S-01).
	ErrLooseFile = errors.New("the file may be read by others")
	// ErrForeignFile: the file is not from where we take files; see CheckOwner.
	ErrForeignFile = errors.New("the file belongs to somebody else")
)

// NewRoot draws a root key.
func NewRoot(random io.Reader) (Root, error) {
	var b [RootSize]byte
	if _, err := io.ReadFull(random, b[:]); err != nil {
		return Root{}, fmt.Errorf("draw root key: %w", err)
	}
	return rootOf(b[:]), nil
}

func rootOf(b []byte) Root {
	raw := string(b)
	return Root{&raw}
}

// ParseRoot reads a root key in base64, either alphabet, padded or not.
func ParseRoot(text string) (Root, error) {
	text = strings.TrimRight(strings.TrimSpace(text), "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err != nil || len(raw) != RootSize {
		return Root{}, ErrRoot
	}
	if sample(raw) {
		return Root{}, ErrSampleRoot
	}
	return rootOf(raw), nil
}

// IsZero reports whether there is no key.
func (r Root) IsZero() bool { return r.raw == nil }

// Reveal returns the key in padded standard base64, "" for the zero Root.
func (r Root) Reveal() string { return base64.StdEncoding.EncodeToString(r.bytes()) }

func (r Root) bytes() []byte {
	if r.raw == nil {
		return nil
	}
	return []byte(*r.raw)
}

// String hides the key.
func (r Root) String() string { return redacted }

// GoString hides the key.
func (r Root) GoString() string { return redacted }

// LogValue hides the key.
func (r Root) LogValue() slog.Value { return slog.StringValue(redacted) }

// MarshalText hides the key.
func (r Root) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// ReadRootFile reads the key file at path. A file that others may read is
// ErrLooseFile, one that CheckOwner refuses ErrForeignFile; a missing one is
// fs.ErrNotExist.
func ReadRootFile(path string) (Root, error) { return readRootFile(path, os.Stat) }

func readRootFile(path string, stat stat) (Root, error) {
	info, err := stat(path)
	if err != nil {
		return Root{}, fmt.Errorf("read key file: %w", err)
	}
	if err := errors.Join(private(path, info, false), checkOwner(path, stat)); err != nil {
		return Root{}, err
	}
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return Root{}, fmt.Errorf("read key file: %w", err)
	}
	root, err := ParseRoot(string(text))
	if err != nil {
		return Root{}, fmt.Errorf("key file %s: %w", path, err)
	}
	return root, nil
}

// CreateRootFile draws a key and writes it to path, mode 0600, synced before
// it is returned. Of several callers at once one writes; the others read its
// key. A file that root makes belongs to the directory's owner.
func CreateRootFile(path string) (Root, error) {
	root, err := NewRoot(rand.Reader)
	if err != nil {
		return Root{}, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".secret.key-*")
	if err != nil {
		return Root{}, fmt.Errorf("create key file: %w", err)
	}
	defer os.Remove(tmp.Name())
	HandOver(tmp)
	_, err = tmp.WriteString(root.Reveal() + "\n")
	if err = errors.Join(err, tmp.Sync(), tmp.Close()); err != nil {
		return Root{}, fmt.Errorf("write key file: %w", err)
	}
	// A link fails where the name is taken, so nobody's key is overwritten.
	if err := os.Link(tmp.Name(), path); errors.Is(err, os.ErrExist) {
		return ReadRootFile(path)
	} else if err != nil {
		return Root{}, fmt.Errorf("create key file: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return Root{}, err
	}
	return root, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir) //nolint:gosec // where the key file is
	if err != nil {
		return fmt.Errorf("sync key directory: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("sync key directory: %w", err)
	}
	return nil
}
