package fleet_test

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/countersign/countersign/internal/config"
	"github.com/countersign/countersign/internal/fleet"
)

const pages = "../../docs/carriers"

var (
	tomlBlock = regexp.MustCompile("(?s)```toml\n(.*?)```")
	environIn = regexp.MustCompile(`([a-z_"-]+)\s*=\s*\[?"env:([A-Z0-9_]+)"`)
	fileIn    = regexp.MustCompile(`"file:([^"]+)"`)
)

// secretFor is a secret that fits a key.
func secretFor(key string) string {
	if strings.HasSuffix(key, "secret") && !strings.Contains(key, "app_") && !strings.Contains(key, "api_") {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	}
	return strings.Repeat("a", 8)
}

// Every TOML block of the pages works as it stands, given its secrets.
func TestEveryExampleOfThePagesWorks(t *testing.T) {
	t.Parallel()
	all, err := filepath.Glob(pages + "/*.md")
	if err != nil || len(all) == 0 {
		t.Fatalf("%d pages, %v", len(all), err)
	}
	for _, page := range all {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for i, block := range tomlBlock.FindAllStringSubmatch(string(text), -1) {
			example := block[1]
			var environ []string
			for _, m := range environIn.FindAllStringSubmatch(example, -1) {
				environ = append(environ, m[2]+"="+secretFor(m[1]))
			}
			secret := filepath.Join(t.TempDir(), "secret")
			if err := os.WriteFile(secret, []byte(secretFor("")), 0o600); err != nil {
				t.Fatal(err)
			}
			example = fileIn.ReplaceAllString(example, `"file:`+secret+`"`)
			path := filepath.Join(t.TempDir(), "countersign.toml")
			if err := os.WriteFile(path, []byte(example), 0o600); err != nil {
				t.Fatal(err)
			}
			c, err := config.Load(config.Sources{File: path, Environ: environ})
			if err == nil {
				_, err = fleet.New(fleet.Settings{Carriers: c.Carriers, Routes: c.Routes, Sandbox: c.Sandbox}, deps())
			}
			if err != nil {
				t.Errorf("%s, example %d: %v\n%s", page, i+1, err, block[1])
			}
		}
	}
}

var (
	keysNamed = regexp.MustCompile(`(?s)\[([a-z][a-z0-9_., ]*)\]`)
	comment   = regexp.MustCompile(`(?m)^\s*//(.*)$`)
)

// What a carrier's Config names as a key can be written in the file, and stands
// on its page.
func TestEveryKeyOfEveryTypeIsReadAndDocumented(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"smpp", "twilio", "meta", "webhook", "kannel", "request"} {
		source, err := os.ReadFile("../carrier/" + kind + "/config.go")
		if err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile(filepath.Join(pages, kind+".md"))
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, line := range comment.FindAllStringSubmatch(string(source), -1) {
			text.WriteString(line[1])
		}
		var keys []string
		for _, m := range keysNamed.FindAllStringSubmatch(text.String(), -1) {
			for key := range strings.SplitSeq(m[1], ",") {
				key = strings.TrimSpace(key)
				if !slices.Contains(keys, key) && key != "name" {
					keys = append(keys, key)
				}
			}
		}
		if len(keys) < 5 {
			t.Fatalf("%s: found only the keys %v", kind, keys)
		}
		for _, key := range keys {
			line := key + " = 2020-01-01" // no key takes a date
			if table, inner, nested := strings.Cut(key, "."); nested {
				line = "[[carrier." + table + "]]\n" + inner + " = 2020-01-01"
			}
			s, _ := settings(t, "[[carrier]]\nname = \"a\"\ntype = \""+kind+"\"\n"+line+"\n", "auto")
			_, err := fleet.New(s, deps())
			if err == nil || strings.Contains(err.Error(), "unknown key") {
				t.Errorf("%s: key %s is not read: %v", kind, key, err)
			}
			_, inner, _ := strings.Cut(key, ".")
			if !strings.Contains(string(page), "`"+key+"`") && !strings.Contains(string(page), "`"+inner+"`") {
				t.Errorf("%s.md does not name the key %s", kind, key)
			}
		}
	}
}
