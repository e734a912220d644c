package page

import (
	"net/url"
	"strings"
)

// Form is a form as it was typed, with what is wrong with it. Rendered again
// it shows both (see the template "field"). The zero Form is empty.
type Form struct {
	values   url.Values
	problems map[string]string
	order    []string // fields with problems, as they were refused
}

// Form returns the form that was posted, or a page's empty one. It is the one
// that Render shows.
func (r *Request) Form() *Form {
	if r.form == nil {
		r.form = &Form{values: url.Values{}}
		if r.PostForm != nil {
			r.form.values = r.PostForm
		}
	}
	return r.form
}

// Value returns a field without blanks around it.
func (f *Form) Value(name string) string { return strings.TrimSpace(f.values.Get(name)) }

// Raw returns a field as it was typed: passwords may have blanks.
func (f *Form) Raw(name string) string { return f.values.Get(name) }

// Values returns every value of a field that may come more than once.
func (f *Form) Values(name string) []string { return f.values[name] }

// Has reports whether the form came with the field: a ticked checkbox, or the
// button that was pressed.
func (f *Form) Has(name string) bool { return f.values.Has(name) }

// Set gives a field a value, such as what is stored before somebody edits it.
func (f *Form) Set(name string, values ...string) {
	if f.values == nil {
		f.values = url.Values{}
	}
	f.values[name] = values
}

// Refuse marks a field with the reason; "" stands for the form as a whole. The
// first reason for a field stays.
func (f *Form) Refuse(name, reason string) {
	if f.problems == nil {
		f.problems = map[string]string{}
	}
	if _, already := f.problems[name]; already {
		return
	}
	f.problems[name] = reason
	f.order = append(f.order, name)
}

// OK reports whether nothing was refused.
func (f *Form) OK() bool { return len(f.problems) == 0 }

// Problem returns why a field was refused, "" if it was not.
func (f *Form) Problem(name string) string { return f.problems[name] }

// Problems returns what was refused, in that order, for the summary above a
// form.
func (f *Form) Problems() []Problem {
	all := make([]Problem, 0, len(f.order))
	for _, name := range f.order {
		all = append(all, Problem{name, f.problems[name]})
	}
	return all
}

// Problem is a refused field.
type Problem struct{ Field, Reason string }
