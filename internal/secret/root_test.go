package secret_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/countersign/countersign/internal/secret"
)

// raw is a key whose base64 has every character that the two alphabets spell
// differently, and padding.
var raw = bytes.Join([][]byte{{0xfb, 0xff, 0xbf, 0x3e, 0xff, 0xfe}, []byte("26 bytes more to make 32!!")}, nil)

// steps is a key whose bytes all differ by the same step.
func steps(first, step byte) []byte {
	b := make([]byte, secret.RootSize)
	for i := range b {
		b[i] = first + byte(i)*step
	}
	return b
}

func root(t testing.TB) secret.Root {
	t.Helper()
	r, err := secret.NewRoot(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARootKeyIsReadInEveryBase64(t *testing.T) {
	t.Parallel()
	std := base64.StdEncoding.EncodeToString(raw)
	if !strings.ContainsAny(std, "+") || !strings.ContainsAny(std, "/") || !strings.HasSuffix(std, "=") {
		t.Fatalf("the sample %s does not show what differs", std)
	}
	for name, text := range map[string]string{
		"standard":            std,
		"standard, unpadded":  base64.RawStdEncoding.EncodeToString(raw),
		"URL":                 base64.URLEncoding.EncodeToString(raw),
		"URL, unpadded":       base64.RawURLEncoding.EncodeToString(raw),
		"with a line's end":   std + "\n",
		"with space around":   "  " + std + "\r\n",
		"as Reveal writes it": std,
	} {
		r, err := secret.ParseRoot(text)
		if err != nil || r.Reveal() != std {
			t.Errorf("%s: ParseRoot(%q) is another key or %v", name, text, err)
		}
	}
}

func TestWhatIsNoRootKeyIsRefused(t *testing.T) {
	t.Parallel()
	b64 := base64.StdEncoding.EncodeToString
	for _, c := range []struct {
		name string
		text string
		want error
	}{
		{"empty", "", secret.ErrRoot},
		{"space", " \n", secret.ErrRoot},
		{"31 bytes", b64(raw[:31]), secret.ErrRoot},
		{"33 bytes", b64(append(bytes.Clone(raw), 1)), secret.ErrRoot},
		{"16 bytes", b64(raw[:16]), secret.ErrRoot},
		{"64 bytes", b64(append(bytes.Clone(raw), raw...)), secret.ErrRoot},
		{"a passphrase", "correct horse battery staple", secret.ErrRoot},
		{"hexadecimal of 32 bytes", hex.EncodeToString(raw), secret.ErrRoot},
		{"two lines", b64(raw) + "\n" + b64(raw), secret.ErrRoot},
		{"zeros", b64(make([]byte, 32)), secret.ErrSampleRoot},
		{"one byte repeated", b64(bytes.Repeat([]byte{'x'}, 32)), secret.ErrSampleRoot},
		{"counting up", b64(steps(0, 1)), secret.ErrSampleRoot},
		{"counting from 1", b64(steps(1, 1)), secret.ErrSampleRoot},
		{"counting down", b64(steps(31, 255)), secret.ErrSampleRoot},
		{"counting over the end", b64(steps(250, 3)), secret.ErrSampleRoot},
		{"changeme", b64(bytes.Repeat([]byte("changeme"), 4)), secret.ErrSampleRoot},
		{"two bytes in turn", b64(bytes.Repeat([]byte{1, 2}, 16)), secret.ErrSampleRoot},
		{"eight bytes over and over", b64(bytes.Repeat(raw[:8], 4)), secret.ErrSampleRoot},
		{"seven bytes over and over", b64(bytes.Repeat(raw[:7], 5)[:32]), secret.ErrSampleRoot},
		{"zeros and a one", b64(append(make([]byte, 31), 1)), secret.ErrSampleRoot},
		{"seven different bytes", b64(append(bytes.Repeat([]byte{0xff}, 26), steps(1, 1)[:6]...)), secret.ErrSampleRoot},
	} {
		r, err := secret.ParseRoot(c.text)
		if !errors.Is(err, c.want) || !r.IsZero() {
			t.Errorf("%s: ParseRoot = %v, want %v and no key", c.name, err, c.want)
		}
	}
	almost := steps(0, 1)
	almost[31] = 0
	if _, err := secret.ParseRoot(b64(almost)); err != nil {
		t.Errorf("a key that only begins as a sample: %v", err)
	}
}

func TestNoKeyThatIsDrawnIsTakenForASample(t *testing.T) {
	t.Parallel()
	for range 100_000 {
		drawn := root(t).Reveal()
		if _, err := secret.ParseRoot(drawn); err != nil {
			t.Fatalf("%s: %v", drawn, err)
		}
	}
	for name, key := range map[string][]byte{
		"twelve different bytes":         append(bytes.Repeat([]byte{0xff}, 21), steps(1, 1)[:11]...),
		"a repetition after 17 bytes":    bytes.Repeat(steps(0, 7)[:17], 2)[:32],
		"a text with a byte that is not": append([]byte("a text of our own, not so rando"), 0x80),
	} {
		if _, err := secret.ParseRoot(base64.StdEncoding.EncodeToString(key)); err != nil {
			t.Errorf("%s: %v; want it read, as it is on the other side of the bound", name, err)
		}
	}
}

func TestANewRootComesFromItsReader(t *testing.T) {
	t.Parallel()
	if r, err := secret.NewRoot(bytes.NewReader(raw)); err != nil || r.Reveal() != base64.StdEncoding.EncodeToString(raw) {
		t.Errorf("NewRoot over chosen bytes: another key or %v", err)
	}
	if r, err := secret.NewRoot(bytes.NewReader(raw[:31])); !errors.Is(err, io.ErrUnexpectedEOF) || !r.IsZero() {
		t.Errorf("NewRoot over 31 bytes = %v, want io.ErrUnexpectedEOF and no key", err)
	}
}

func TestAKeyFileFollowsItsRules(t *testing.T) {
	t.Parallel()
	text := base64.StdEncoding.EncodeToString(raw) + "\n"
	for _, c := range []struct {
		name string
		text string
		mode fs.FileMode
		want error // nil: the key is read
	}{
		{"mode 0600", text, 0o600, nil},
		{"mode 0400", text, 0o400, nil},
		{"read by the group", text, 0o640, secret.ErrLooseFile},
		{"read by all", text, 0o644, secret.ErrLooseFile},
		{"written by the group", text, 0o620, secret.ErrLooseFile},
		{"run by others", text, 0o601, secret.ErrLooseFile},
		{"empty", "", 0o600, secret.ErrRoot},
		{"a sample", base64.StdEncoding.EncodeToString(make([]byte, 32)), 0o600, secret.ErrSampleRoot},
	} {
		path := filepath.Join(t.TempDir(), "secret.key")
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path, c.mode); err != nil {
			t.Fatal(err)
		}
		r, err := secret.ReadRootFile(path)
		if !errors.Is(err, c.want) || r.IsZero() != (c.want != nil) {
			t.Errorf("%s: ReadRootFile = %v, want %v", c.name, err, c.want)
		}
		if err != nil && (!strings.Contains(err.Error(), path) || len(c.text) > 0 && strings.Contains(err.Error(), c.text[:10])) {
			t.Errorf("%s: the error must name the file and not show the key: %v", c.name, err)
		}
	}
	if _, err := secret.ReadRootFile(filepath.Join(t.TempDir(), "absent")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing key file = %v, want fs.ErrNotExist", err)
	}
	if _, err := secret.CreateRootFile(filepath.Join(t.TempDir(), "no", "secret.key")); err == nil {
		t.Error("a key file was made in a directory that does not exist")
	}
}

func TestManyCreatorsAgreeOnOneKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "secret.key")
	const creators = 20
	keys := make([]string, creators)
	begin := make(chan struct{})
	var wg sync.WaitGroup
	for i := range creators {
		wg.Go(func() {
			<-begin
			r, err := secret.CreateRootFile(path)
			if err != nil {
				t.Errorf("CreateRootFile: %v", err)
				return
			}
			keys[i] = r.Reveal()
		})
	}
	close(begin)
	wg.Wait()
	kept, err := secret.ReadRootFile(path)
	if err != nil {
		t.Fatalf("ReadRootFile: %v", err)
	}
	for i, key := range keys {
		if key != kept.Reveal() {
			t.Errorf("creator %d has another key than the file", i)
		}
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file's mode is %v, %v; want 0600", info.Mode().Perm(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%d files are left in the directory, %v; want the key file alone", len(entries), err)
	}
	if again, err := secret.CreateRootFile(path); err != nil || again.Reveal() != kept.Reveal() {
		t.Errorf("a later CreateRootFile made another key or %v", err)
	}
}

func TestARootKeyPrintsNowhere(t *testing.T) {
	t.Parallel()
	r, err := secret.NewRoot(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	type holder struct {
		Public  secret.Root `json:"public"`
		private secret.Root
	}
	bare := strings.Trim(fmt.Sprintf("%d", raw[:8]), "[]")
	shows := func(s string) bool {
		return strings.Contains(s, r.Reveal()[:12]) || strings.Contains(strings.ToLower(s), hex.EncodeToString(raw[:8])) || strings.Contains(s, bare)
	}
	for name, v := range map[string]any{
		"key": r, "pointer": &r, "struct": holder{r, r}, "pointer to struct": &holder{r, r}, "slice": []secret.Root{r}, "map": map[string]secret.Root{"k": r},
	} {
		for verb := range strings.FieldsSeq("%v %+v %#v %s %q %x %X %d %o %b %c %U %t %p %T %+q %#x %08v") {
			if got := fmt.Sprintf(verb, v); shows(got) {
				t.Errorf("fmt %s of a %s shows the key: %q", verb, name, got)
			}
		}
		var out bytes.Buffer
		slog.New(slog.NewJSONHandler(&out, nil)).InfoContext(t.Context(), "a key", slog.Any("v", v))
		slog.New(slog.NewTextHandler(&out, nil)).InfoContext(t.Context(), "a key", slog.Any("v", v))
		if shows(out.String()) {
			t.Errorf("slog of a %s shows the key: %q", name, out.String())
		}
	}
	if got, err := json.Marshal(holder{r, r}); err != nil || shows(string(got)) {
		t.Errorf("JSON = %s, %v; the key must not be in it", got, err)
	}
}

func TestAFileOfTheOperatorsFollowsTheSameRules(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "countersign.toml")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, loose := range map[fs.FileMode]bool{0o600: false, 0o400: false, 0o640: true, 0o620: true, 0o604: true, 0o644: true} {
		if err := os.Chmod(path, mode); err != nil { // the file is ours: no exception holds
			t.Fatal(err)
		}
		if err := secret.CheckGiven(path); errors.Is(err, secret.ErrLooseFile) != loose || (err != nil) != loose {
			t.Errorf("CheckGiven with mode %04o = %v; want it refused: %v", mode, err, loose)
		}
	}
	if err := secret.CheckGiven(path + ".absent"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("CheckGiven of no file = %v; want fs.ErrNotExist", err)
	}
}
