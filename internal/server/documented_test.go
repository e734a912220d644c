package server_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestEveryPackageIsNamedWhereTheArchitectureIsTold(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	named := strings.Join(regexp.MustCompile("`[^`\n]+`").FindAllString(string(page), -1), " ")
	seen := map[string]bool{}
	err = fs.WalkDir(os.DirFS(".."), ".", func(file string, _ fs.DirEntry, err error) error {
		dir := path.Dir(file)
		if err != nil || path.Ext(file) != ".go" || seen[dir] || strings.Contains(dir, "testdata") {
			return err
		}
		seen[dir] = true
		if !regexp.MustCompile(`\b` + path.Base(dir) + `\b`).MatchString(named) {
			t.Errorf("docs/architecture.md does not name internal/%s", dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(seen) < 50 {
		t.Errorf("found %d packages; want all", len(seen))
	}
}
