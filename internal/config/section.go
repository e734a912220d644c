package config

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"
)

// FileError is something in the configuration file that cannot be used.
type FileError struct {
	At      string // file and line: "countersign.toml:12"
	Where   string // the table, such as `carrier "direct"`; "" for the file itself
	Key     string // "" for the table as a whole
	Problem string // what is wrong and what was expected; never a secret
}

// Error returns `countersign.toml:12: carrier "direct": port: is no whole number`.
func (e *FileError) Error() string {
	parts := []string{e.At}
	for _, p := range []string{e.Where, e.Key, e.Problem} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ": ")
}

// Section is a table of the file, such as one [[carrier]]. It never changes.
type Section struct {
	file    *document
	path    string
	title   string
	values  map[string]any
	environ []string
}

// At says where the section or one of its keys stands: "countersign.toml:12".
func (s *Section) At(key string) string {
	if first, _, _ := strings.Cut(key, "."); s.values[first] != nil {
		return s.file.at(s.path + "." + key)
	}
	return s.file.at(s.path)
}

// Wrong returns an error about a key, or with "" about the section.
func (s *Section) Wrong(key, format string, args ...any) error {
	return &FileError{At: s.At(key), Where: s.title, Key: key, Problem: fmt.Sprintf(format, args...)}
}

// Read begins to read the section.
func (s *Section) Read() *Reader { return &Reader{section: s, asked: map[string]bool{}} }

// Reader takes a section's keys into variables. What is not in the file leaves
// its variable as it is. End tells what was wrong with any of them.
type Reader struct {
	section  *Section
	asked    map[string]bool
	problems []error
}

// End returns what was wrong, each with file and line, and every key that was
// not asked for.
func (r *Reader) End() error {
	for _, key := range slices.Sorted(maps.Keys(r.section.values)) {
		if !r.asked[key] {
			r.problems = append(r.problems, &FileError{At: r.section.At(key), Where: r.section.title, Problem: fmt.Sprintf("unknown key %q", key)})
		}
	}
	return errors.Join(r.problems...)
}

// Wrong adds a problem with a key.
func (r *Reader) Wrong(key, format string, args ...any) {
	r.problems = append(r.problems, r.section.Wrong(key, format, args...))
}

// value returns what the file says of a key.
func (r *Reader) value(key string) (any, bool) {
	r.asked[key] = true
	v, ok := r.section.values[key]
	return v, ok
}

// read takes a value of type T.
func read[T any](r *Reader, key, expected string, to *T) {
	v, ok := r.value(key)
	if !ok {
		return
	}
	t, ok := v.(T)
	if !ok {
		r.Wrong(key, "expected %s", expected)
		return
	}
	*to = t
}

// Text reads a text.
func (r *Reader) Text(key string, to *string) { read(r, key, "a text in quotes", to) }

// Bool reads true or false.
func (r *Reader) Bool(key string, to *bool) { read(r, key, expectToggle, to) }

// Int reads a whole number.
func (r *Reader) Int(key string, to *int) { r.whole(key, math.MinInt32, to) }

// Count reads a whole number of 1 or more: 0, which stands for the default where
// nothing is said, is refused.
func (r *Reader) Count(key string, to *int) { r.whole(key, 1, to) }

// whole reads a whole number of least or more.
func (r *Reader) whole(key string, least int64, to *int) {
	v, has := r.value(key)
	if !has {
		return
	}
	switch n, is := v.(int64); {
	case !is:
		r.Wrong(key, "expected a whole number")
	case n < least:
		r.Wrong(key, "is %d; expected %d or more", n, least)
	case n > math.MaxInt32:
		r.Wrong(key, "is %d; expected %d or less", n, math.MaxInt32)
	default:
		*to = int(n)
	}
}

// Float reads a number, whole or not.
func (r *Reader) Float(key string, to *float64) {
	if v, ok := r.section.values[key].(int64); ok {
		r.asked[key] = true
		*to = float64(v)
		return
	}
	read(r, key, "a number", to)
}

// Duration reads a duration as Go writes it.
func (r *Reader) Duration(key string, to *time.Duration) {
	text := ""
	if read(r, key, "a duration such as \"10s\"", &text); text == "" {
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil || d == 0 { // 0 stands for the default where nothing is said
		r.Wrong(key, "is %q; expected a duration such as \"10s\"", text)
		return
	}
	*to = d
}

// Texts reads a list of texts; one text alone is a list of one.
func (r *Reader) Texts(key string, to *[]string) {
	v, ok := r.value(key)
	if !ok {
		return
	}
	if one, ok := v.(string); ok {
		v = []any{one}
	}
	list, ok := v.([]any)
	out := make([]string, 0, len(list))
	for _, e := range list {
		text, is := e.(string)
		ok = ok && is
		out = append(out, text)
	}
	if !ok {
		r.Wrong(key, "expected a list of texts in quotes")
		return
	}
	*to = out
}

// Ints reads a list of whole numbers; one alone is a list of one.
func (r *Reader) Ints(key string, to *[]int) {
	v, ok := r.value(key)
	if !ok {
		return
	}
	if one, ok := v.(int64); ok {
		v = []any{one}
	}
	list, ok := v.([]any)
	out := make([]int, 0, len(list))
	for _, e := range list {
		n, is := e.(int64)
		ok = ok && is && n == int64(int32(n)) //nolint:gosec // that is the question
		out = append(out, int(n))
	}
	if !ok {
		r.Wrong(key, "expected a list of whole numbers")
		return
	}
	*to = out
}

// TextMap reads a table of texts.
func (r *Reader) TextMap(key string, to *map[string]string) {
	v, ok := r.value(key)
	if !ok {
		return
	}
	table, ok := v.(map[string]any)
	out := make(map[string]string, len(table))
	for name, e := range table {
		text, is := e.(string)
		ok = ok && is
		out[name] = text
	}
	if !ok {
		r.Wrong(key, `expected a table of texts such as { "a" = "b" }`)
		return
	}
	*to = out
}

// Sections reads a list of tables, such as [[carrier.account]].
func (r *Reader) Sections(key, title string) []*Section {
	v, ok := r.value(key)
	if !ok {
		return nil
	}
	tables, ok := tablesOf(v)
	if !ok {
		r.Wrong(key, "expected a list of tables")
		return nil
	}
	s := r.section
	out := make([]*Section, len(tables))
	for i, t := range tables {
		out[i] = &Section{file: s.file, path: element(s.path+"."+key, i), title: s.title + ": " + title, values: t, environ: s.environ}
	}
	return out
}

// Add adds what reading a section of this one found wrong.
func (r *Reader) Add(err error) {
	if err != nil {
		r.problems = append(r.problems, err)
	}
}

// tablesOf returns v as a list of tables; one table is not a list.
func tablesOf(v any) ([]map[string]any, bool) {
	list, ok := v.([]any)
	if !ok {
		return nil, false
	}
	out := make([]map[string]any, len(list))
	for i, e := range list {
		if out[i], ok = e.(map[string]any); !ok {
			return nil, false
		}
	}
	return out, true
}

// maxSecretFile bounds what is read of a file with a secret.
const maxSecretFile = 64 << 10

var environName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// Secret reads a secret from where the file says that it is: "env:NAME" or
// "file:PATH". A secret in the file itself is refused. set is called with what
// was found; of a file, without the line break at its end.
func (r *Reader) Secret(key string, set func(string)) {
	where := ""
	if read(r, key, expectSecret, &where); where == "" {
		if _, has := r.section.values[key].(string); has {
			r.Wrong(key, "expected %s", expectSecret)
		}
		return
	}
	if text, ok := r.reveal(key, where); ok {
		set(text)
	}
}

// Secrets reads a list of secrets as Secret does; one alone is a list of one.
func (r *Reader) Secrets(key string, set func([]string)) {
	var all []string
	if r.Texts(key, &all); len(all) == 0 {
		return
	}
	found := make([]string, 0, len(all))
	for _, where := range all {
		text, ok := r.reveal(key, where)
		if !ok {
			return
		}
		found = append(found, text)
	}
	set(found)
}

// SecretMap reads a table whose values are secrets.
func (r *Reader) SecretMap(key string, set func(map[string]string)) {
	var all map[string]string
	if r.TextMap(key, &all); len(all) == 0 {
		return
	}
	found := make(map[string]string, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		text, ok := r.reveal(key, all[name])
		if !ok {
			return
		}
		found[name] = text
	}
	set(found)
}

const expectSecret = `"env:NAME" or "file:PATH", as secrets do not stand in this file` //nolint:gosec // an explanation

// reveal returns the secret that is where it is said to be. What it says of it
// never holds the text: it may be a secret that was put there by mistake.
func (r *Reader) reveal(key, where string) (string, bool) {
	source, name, _ := strings.Cut(where, ":")
	switch {
	case source == "env" && environName.MatchString(name):
		for _, v := range r.section.environ {
			if value, ok := strings.CutPrefix(v, name+"="); ok && value != "" {
				return value, true
			}
		}
		r.Wrong(key, "the environment variable %s is not set", name)
	case source == "file" && name != "":
		return r.revealFile(key, name)
	default:
		r.Wrong(key, "expected %s", expectSecret)
	}
	return "", false
}

func (r *Reader) revealFile(key, path string) (string, bool) {
	info, err := os.Stat(path)
	if err == nil && (!info.Mode().IsRegular() || info.Size() > maxSecretFile) {
		r.Wrong(key, "%s is no file of at most 64 KiB", path)
		return "", false
	}
	if problem := loose(path); problem != "" {
		r.Wrong(key, "%s: %s", path, problem)
		return "", false
	}
	var text []byte
	if err == nil {
		text, err = os.ReadFile(path) //nolint:gosec // the operator names it
	}
	if err != nil {
		r.Wrong(key, "expected a readable file with the secret: %v", err)
		return "", false
	}
	r.section.file.secrets.add(path)
	secret := strings.TrimRight(string(text), "\r\n")
	if secret == "" {
		r.Wrong(key, "%s is empty", path)
	}
	return secret, secret != ""
}
