package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Flags are the settings given as flags. The zero Flags gives none.
type Flags struct {
	parsed any // pointer to a struct of pointer fields, one a setting with a flag
}

// NewFlags returns flags for a command line parser to fill.
func NewFlags() Flags {
	var fields []reflect.StructField
	for _, s := range Settings() {
		if s.Flag() == "" {
			continue
		}
		f := reflect.StructField{Name: fieldName(s), Type: reflect.TypeFor[*string]()}
		tag := fmt.Sprintf("name:%q help:%q group:%q", s.Flag(), help(s), "Settings:")
		if s.kind == kindToggle {
			f.Type = reflect.TypeFor[*bool]()
		} else {
			tag += ` placeholder:"` + placeholder(s) + `"`
		}
		f.Tag = reflect.StructTag(tag)
		fields = append(fields, f)
	}
	return Flags{reflect.New(reflect.StructOf(fields)).Interface()}
}

// Parsed is the pointer to the struct that the parser (kong) fills.
func (f Flags) Parsed() any { return f.parsed }

func fieldName(s Setting) string {
	return "Setting" + strings.ReplaceAll(strings.ToUpper(s.Name), "_", "")
}

func help(s Setting) string {
	text := s.Meaning + " (" + s.Env()
	if s.Default != "" {
		text += ", default " + s.Default
	}
	return strings.ReplaceAll(text, "$", "$$") + ")."
}

func placeholder(s Setting) string {
	if s.Default != "" {
		return s.Default
	}
	return "VALUE"
}

// given returns the flags that were given, by the setting's name.
func (f Flags) given() map[string]any {
	out := map[string]any{}
	if f.parsed == nil {
		return out
	}
	v := reflect.ValueOf(f.parsed).Elem()
	for _, s := range Settings() {
		if s.Flag() == "" {
			continue
		}
		if p := v.FieldByName(fieldName(s)); !p.IsNil() {
			out[s.Name] = fmt.Sprint(p.Elem().Interface())
		}
	}
	return out
}
