package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/countersign/countersign/internal/secret"
)

// document is a TOML file with the line of every key.
type document struct {
	path   string
	values map[string]any
	lines  map[string]int // by path: "listen", "wait.sms", "carrier[0]", "carrier[0].host"
	again  int            // the first line with a key or table that is there already; 0 for none

	secrets paths // the files that it names and secrets were read from
}

// readDocument reads a file; its errors are ErrFile with file and line and, where
// one value cannot be read, a *SettingError or *FileError.
func readDocument(path string) (*document, error) {
	text, err := os.ReadFile(path) //nolint:gosec // the operator names it
	if err != nil {
		return nil, fmt.Errorf("%w %s: %w", ErrFile, path, err)
	}
	if problem := loose(path); problem != "" {
		return nil, &FileError{At: path, Problem: problem}
	}
	d := &document{path: path, lines: map[string]int{}}
	if line := tooDeep(text); line > 0 {
		return nil, fmt.Errorf("%w %s:%d: tables and lists inside each other more than %d deep", ErrFile, path, line, maxDepth)
	}
	d.values, err = toml.Parser().Unmarshal(text)
	if err != nil {
		return nil, d.refused(text, err)
	}
	return d, d.findLines(text)
}

// private refuses a file that holds a root key and that others may read (S-01).
func (d *document) private() error {
	for _, key := range []string{"secret_key", "secret_key_previous"} {
		if v, has := d.values[key]; !has || flat(v) == "" {
			continue
		}
		if err := secret.CheckGiven(d.path); errors.Is(err, secret.ErrLooseFile) {
			return &SettingError{Setting: key, Source: "file " + d.at(key) + ", which may be read by others", Expected: "a file of " + secret.ExpectMode}
		}
	}
	return nil
}

// at says where a path is, or its nearest table: "countersign.toml:12".
func (d *document) at(path string) string {
	for path != "" {
		if line, ok := d.lines[path]; ok {
			return d.path + ":" + strconv.Itoa(line)
		}
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return d.path
}

// findLines walks over the text once more, as the decoder keeps no positions.
func (d *document) findLines(text []byte) error {
	w := walk{p: &unstable.Parser{}, text: text, lines: d.lines, begins: 1, elements: map[string]int{}, seen: map[string]bool{}}
	w.p.Reset(text)
	defer func() { d.again = w.again }()
	table := ""
	for w.p.NextExpression() {
		e := w.p.Expression()
		switch e.Kind { //nolint:exhaustive // what is left stands inside these
		case unstable.Table:
			table = w.note("", e.Key())
			w.once("[" + table + "]")
		case unstable.ArrayTable:
			path := w.note("", e.Key())
			table = element(path, w.elements[path])
			w.lines[table] = w.line
			w.elements[path]++
		case unstable.KeyValue:
			key := w.note(table, e.Key())
			w.once(key)
			w.value(key, e.Value())
		}
	}
	if err := w.p.Error(); err != nil {
		return fmt.Errorf("%w %s: %w", ErrFile, d.path, err)
	}
	return nil
}

func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// walk notes lines.
type walk struct {
	p        *unstable.Parser
	text     []byte
	read     int // how much of the text its lines were counted of
	begins   int // the line that what is left begins in
	lines    map[string]int
	elements map[string]int // how many [[tables]] a path has so far
	line     int            // of the last key
	seen     map[string]bool
	again    int // the first line with what was seen already; 0 for none
}

// once notes the first line that says something again.
func (w *walk) once(what string) {
	if w.seen[what] && w.again == 0 {
		w.again = w.line
	}
	w.seen[what] = true
}

// note notes the line of a key below a path and returns the key's path. A key
// that goes through [[tables]] means the last of them.
func (w *walk) note(path string, key unstable.Iterator) string {
	for key.Next() {
		n := key.Node()
		if count := w.elements[path]; count > 0 {
			path = element(path, count-1)
		}
		if path != "" {
			path += "."
		}
		path += string(n.Data)
		w.line = w.lineAt(int(n.Raw.Offset))
		if _, known := w.lines[path]; !known {
			w.lines[path] = w.line
		}
	}
	return path
}

// lineAt returns the line of a place in the text. Keys come in the order of the
// text, so each line is counted once; the parser counts from the beginning.
func (w *walk) lineAt(offset int) int {
	if offset < w.read {
		w.read, w.begins = 0, 1
	}
	w.begins += bytes.Count(w.text[w.read:offset], []byte{'\n'})
	w.read = offset
	return w.begins
}

// value notes what stands inside a value.
func (w *walk) value(path string, v *unstable.Node) {
	inside := v.Children()
	switch v.Kind { //nolint:exhaustive // the others have nothing inside
	case unstable.InlineTable:
		for inside.Next() {
			pair := inside.Node()
			w.value(w.note(path, pair.Key()), pair.Value())
		}
	case unstable.Array:
		for i := 0; inside.Next(); i++ {
			if inside.Node().Kind == unstable.Comment {
				continue
			}
			w.value(element(path, i), inside.Node())
		}
	}
}
