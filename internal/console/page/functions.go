package page

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"slices"
	"strconv"

	"github.com/countersign/countersign/internal/console/assets"
)

//go:embed layout/*.html
var layoutFiles embed.FS

// functions are what templates may call beside the methods of the View.
func functions(a *assets.Assets) template.FuncMap {
	return template.FuncMap{
		"asset": a.URL,
		"count": count,
		"pairs": with,
	}
}

// count writes a number with thin spaces between its thousands.
func count(n any) (string, error) {
	var text string
	switch n := n.(type) {
	case int:
		text = strconv.Itoa(n)
	case int64:
		text = strconv.FormatInt(n, 10)
	default:
		return "", fmt.Errorf("count of a %T", n)
	}
	sign := ""
	if text[0] == '-' {
		sign, text = "−", text[1:]
	}
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "\u202f" + text[i:]
	}
	return sign + text, nil
}

var errPairs = errors.New("expected pairs of name and value")

// with makes a map of names and values, for templates that take several.
func with(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errPairs
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, errPairs
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}

// Option is a choice of a field.
type Option struct{ Value, Label string }

// Field is a field of a form as the template "field" shows it.
type Field struct {
	Name, Value, Problem     string
	Label, Type, Hint        string
	Autocomplete, Inputmode  string
	Placeholder, Maxlength   string
	Rows                     string
	Required, Checked, First bool
	Options                  []Option
	Several                  []string // the values, of a field that has several
}

// Chosen reports whether an option is.
func (f Field) Chosen(value string) bool {
	return f.Value == value || slices.Contains(f.Several, value)
}

// Field describes a field for the template "field": its name, its label and
// pairs of further things: type (text, or any of HTML, or textarea, select,
// checkbox), hint, autocomplete, inputmode, placeholder, maxlength, rows,
// required (true), options ([]Option).
//
//	{{template "field" ($.Field "to" "Phone number" "type" "tel" "required" true)}}
func (v *View) Field(name, label string, pairs ...any) (Field, error) {
	m, err := with(pairs...)
	if err != nil {
		return Field{}, fmt.Errorf("field %s: %w", name, err)
	}
	f := Field{
		Name: name, Label: label, Type: "text", Value: v.Form.Raw(name), Problem: v.Form.Problem(name), Several: v.Form.Values(name),
	}
	for key, value := range m {
		text, _ := value.(string)
		yes, _ := value.(bool)
		switch key {
		case "type":
			f.Type = text
		case "hint":
			f.Hint = text
		case "autocomplete":
			f.Autocomplete = text
		case "inputmode":
			f.Inputmode = text
		case "placeholder":
			f.Placeholder = text
		case "maxlength":
			f.Maxlength = text
		case "rows":
			f.Rows = text
		case "required":
			f.Required = yes
		case "options":
			f.Options, _ = value.([]Option)
		default:
			return Field{}, fmt.Errorf("field %s: unknown %q", name, key)
		}
	}
	switch f.Type {
	case "password":
		f.Value = "" // never sent back
	case "checkbox":
		f.Checked = v.Form.Has(name)
	}
	if all := v.Form.Problems(); len(all) > 0 {
		f.First = all[0].Field == name
	}
	return f, nil
}
