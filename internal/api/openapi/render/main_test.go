package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"
)

// generate finds what openapi.go tells go generate to make: a title, a file and
// the page of it.
var generate = regexp.MustCompile(`(?m)^//go:generate go run \./render -title "([^"]+)" -in \.\./\.\./\.\./(\S+) -out (\S+)$`)

func TestEachPageIsThatOfTheFileWhichTheServerServes(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("../openapi.go")
	if err != nil {
		t.Fatal(err)
	}
	var made []string
	for _, line := range generate.FindAllStringSubmatch(string(source), -1) {
		title, in, out := line[1], line[2], line[3]
		made = append(made, filepath.Join("..", out))
		t.Run(out, func(t *testing.T) {
			t.Parallel()
			var got bytes.Buffer
			if err := render(&got, filepath.Join("../../../..", in), title); err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("..", out))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want) {
				t.Errorf("%s is not what render makes of %s: run go generate ./internal/api/openapi", out, in)
			}
		})
	}
	pages, err := filepath.Glob("../pages/*.html")
	slices.Sort(made)
	if err != nil || !slices.Equal(pages, made) {
		t.Errorf("go generate makes %v; want every page, %v (%v)", made, pages, err)
	}
}
