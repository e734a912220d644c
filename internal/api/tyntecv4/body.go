package tyntecv4

import (
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/api/wire"
)

// object is a JSON object of a request body. Its methods read members by their
// exact name, the last one of doubles, null as absent, scalars coerced
// (contract v4 §2). A member that does not fit is remembered and makes the body
// unreadable as a whole: ask fits when all are read.
type object struct {
	path   string // what the names of members follow, such as "channels[0]."
	value  wire.Value
	misfit *string // the first member that did not fit, shared by nested objects
}

// parseObject reads a body that has to be one JSON object; the error is BR.
func parseObject(body []byte) (*object, error) {
	v, err := wire.ParseJSON(body)
	if err != nil {
		return nil, badRequest("Request body is not valid JSON")
	}
	if v.Kind != wire.Object {
		return nil, badRequest("Request body is not a JSON object")
	}
	return &object{value: v, misfit: new(string)}, nil
}

// fits returns BR if a member that was read did not fit.
func (o *object) fits() error {
	if *o.misfit == "" {
		return nil
	}
	return badRequest("The member " + *o.misfit + " has an unusable JSON type")
}

func (o *object) refuse(name string) {
	if *o.misfit == "" {
		*o.misfit = o.path + name
	}
}

// text returns a string, or an integer's literal; nil if it is absent.
func (o *object) text(name string) *string {
	v := o.value.Find(name)
	switch {
	case v == nil, v.Kind == wire.Null:
		return nil
	case v.Kind == wire.String, v.Kind == wire.Number && !isFraction(v.Text):
		return &v.Text
	}
	o.refuse(name)
	return nil
}

// isFraction reports whether a number is not written as an integer.
func isFraction(literal string) bool { return strings.ContainsAny(literal, ".eE") }

// integer returns an integer, or a string of decimal digits as one; nil if it
// is absent. One beyond 64 bits becomes the nearest of them.
func (o *object) integer(name string) *int64 {
	v := o.value.Last(name)
	switch {
	case v.Kind == wire.Null:
		return nil
	case v.Kind == wire.Number && !isFraction(v.Text), v.Kind == wire.String && isDigits(v.Text):
		n, _ := strconv.ParseInt(v.Text, 10, 64) // an error of range leaves the nearest
		return &n
	}
	o.refuse(name)
	return nil
}

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// word returns a boolean's word or a string, for members that take both; nil if
// it is absent.
func (o *object) word(name string) *string {
	if v := o.value.Last(name); v.Kind == wire.Bool {
		return &v.Text
	}
	return o.text(name)
}

// boolean returns a JSON boolean; nil if it is absent.
func (o *object) boolean(name string) *bool {
	v := o.value.Last(name)
	switch v.Kind {
	case wire.Null:
		return nil
	case wire.Bool:
		yes := v.Text == "true"
		return &yes
	case wire.Number, wire.String, wire.Array, wire.Object:
	}
	o.refuse(name)
	return nil
}

// objects returns an array's elements, nil for those that are null; false if
// the array is absent.
func (o *object) objects(name string) ([]*object, bool) {
	v := o.value.Last(name)
	if v.Kind == wire.Null {
		return nil, false
	}
	if v.Kind != wire.Array {
		o.refuse(name)
		return nil, false
	}
	all := make([]*object, len(v.Items))
	for i, item := range v.Items {
		at := name + "[" + strconv.Itoa(i) + "]"
		switch item.Kind {
		case wire.Object:
			all[i] = &object{path: o.path + at + ".", value: item, misfit: o.misfit}
		case wire.Null:
		case wire.Bool, wire.Number, wire.String, wire.Array:
			o.refuse(at)
		}
	}
	return all, true
}

// pair is a member of an object whose names are the client's.
type pair struct{ name, value string }

// pairs returns the members of an object that maps names to strings, numbers
// and booleans as their text (callback events §9); false if it is absent.
func (o *object) pairs(name string) ([]pair, bool) {
	v := o.value.Last(name)
	if v.Kind == wire.Null {
		return nil, false
	}
	if v.Kind != wire.Object {
		o.refuse(name)
		return nil, false
	}
	var names []string // in the order of their first occurrence
	last := map[string]wire.Value{}
	for _, m := range v.Members {
		if _, again := last[m.Name]; !again {
			names = append(names, m.Name)
		}
		last[m.Name] = m.Value
	}
	all := []pair{}
	for _, n := range names {
		switch m := last[n]; m.Kind {
		case wire.String, wire.Number, wire.Bool:
			all = append(all, pair{n, m.Text})
		case wire.Null:
		case wire.Array, wire.Object:
			o.refuse(name)
		}
	}
	return all, true
}
