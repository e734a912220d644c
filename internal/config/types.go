package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// expectKnown is what a key that is no setting should have been.
const expectKnown = "a key that docs/operating.md lists"

// settings returns what the file says of settings, and a problem for each key
// that is none and for each value of a type that its setting does not take.
func (d *document) settings() (map[string]any, []error) {
	known := map[string]Setting{}
	tables := map[string]bool{}
	for _, s := range Settings() {
		known[s.Name] = s
		if table, _, ok := strings.Cut(s.Name, "."); ok {
			tables[table] = true
		}
	}
	out := maps.Clone(d.values)
	delete(out, carrierTable)
	delete(out, routeTable)
	var problems []error
	check := func(path string, v any) {
		if s, ok := known[path]; ok {
			problems = append(problems, d.typed(s, v)...)
			return
		}
		problems = append(problems, &SettingError{Setting: path, Source: "file " + d.at(path), Expected: expectKnown})
	}
	for _, name := range slices.Sorted(maps.Keys(out)) {
		table, isTable := out[name].(map[string]any)
		switch {
		case strings.Contains(name, "."): // a quoted key, which is not the key of a table
			problems = append(problems, &SettingError{Setting: strconv.Quote(name), Source: "file " + d.at(name), Expected: expectKnown})
			delete(out, name)
		case isTable && tables[name]:
			for _, key := range slices.Sorted(maps.Keys(table)) {
				check(name+"."+key, table[key])
			}
		default:
			check(name, out[name])
		}
	}
	return out, problems
}

// typed refuses a value of a type that a setting does not take: read as text, a
// table would be the name of a directory.
func (d *document) typed(s Setting, v any) []error {
	p := &SettingError{Setting: s.Name, Source: "file " + d.at(s.Name), Expected: s.Expected}
	switch v := v.(type) {
	case string, int64:
		return nil
	case bool, float64:
		if _, is := v.(bool); is && s.kind == kindToggle {
			return nil
		}
		p.Value, p.Expected = fmt.Sprint(v), quoted(s)
	case []any:
		texts := !slices.ContainsFunc(v, func(e any) bool { _, is := e.(string); return !is })
		if texts && s.kind == kindTexts {
			return nil
		}
		p.Value = "a list"
	case map[string]any:
		p.Value = "a table"
	default:
		p.Value = "a date or time"
	}
	if s.secret {
		p.Value = ""
	}
	return []error{p}
}

// quoted is what is expected of a setting in the file.
func quoted(s Setting) string {
	switch s.kind {
	case kindToggle, kindNumber:
		return s.Expected
	case kindText, kindTexts:
	}
	return s.Expected + ", in quotes"
}
