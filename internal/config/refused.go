package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	decoder "github.com/pelletier/go-toml/v2"
)

// refused says what of a text the decoder could not read: the setting, where it
// is the value of one, and always the line.
func (d *document) refused(text []byte, err error) error {
	wellFormed := d.findLines(text) == nil
	at, ok := errors.AsType[*decoder.DecodeError](err)
	if !ok {
		if d.again > 0 { // the decoder names what is there twice, but not where
			return fmt.Errorf("%w %s:%d: %w", ErrFile, d.path, d.again, err)
		}
		return fmt.Errorf("%w %s: %w", ErrFile, d.path, err)
	}
	line, _ := at.Position()
	where := d.path + ":" + strconv.Itoa(line)
	// A key is found only where its value is well-formed, as a number that is too
	// large is.
	path := d.on(line)
	if path == "" && wellFormed { // in a list of several lines
		path = d.on(d.before(line))
	}
	if i := slices.IndexFunc(Settings(), func(s Setting) bool { return s.Name == path }); i >= 0 {
		return &SettingError{Setting: path, Source: "file " + where, Expected: quoted(Settings()[i])}
	}
	problem := unquoted(err)
	if path != "" {
		return &FileError{At: where, Key: path, Problem: problem}
	}
	return fmt.Errorf("%w %s: %s", ErrFile, where, problem)
}

// on returns the deepest path whose key is on a line, "" for none.
func (d *document) on(line int) string {
	deepest := ""
	for path, at := range d.lines {
		if at == line && (len(path) > len(deepest) || len(path) == len(deepest) && path > deepest) {
			deepest = path
		}
	}
	return deepest
}

// before returns the last line before a line that has a key, 0 for none.
func (d *document) before(line int) int {
	last := 0
	for _, at := range d.lines {
		if at < line {
			last = max(last, at)
		}
	}
	return last
}

// unquoted is what the decoder says, without the value that it repeats of a
// number: a key whose quotes were forgotten may look like one (P-06).
func unquoted(err error) string {
	said, _, _ := strings.Cut(err.Error(), ": strconv.")
	return said
}
