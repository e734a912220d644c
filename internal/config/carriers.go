package config

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/countersign/countersign/internal/message"
	"github.com/countersign/countersign/internal/route"
)

// The tables of carriers and routes.
const (
	carrierTable = "carrier"
	routeTable   = "route"
)

// Carrier is one [[carrier]] of the file. Its other keys are its type's, which
// reads them from Section.
type Carrier struct {
	Name string
	Type string
	*Section
}

// CarrierName says what a carrier may be called: it is in URLs and metrics.
const CarrierName = "1 to 64 of a-z, 0-9, _ and -, the first a letter or digit"

var carrierForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

// sections returns the tables [[name]].
func (d *document) sections(name string, environ []string) ([]*Section, error) {
	v, ok := d.values[name]
	if !ok {
		return nil, nil
	}
	tables, ok := tablesOf(v)
	if !ok {
		return nil, &FileError{At: d.at(name), Key: name, Problem: fmt.Sprintf("expected tables that begin with [[%s]]", name)}
	}
	out := make([]*Section, len(tables))
	for i, t := range tables {
		out[i] = &Section{file: d, path: element(name, i), title: name, values: t, environ: environ}
	}
	return out, nil
}

// carriers reads every [[carrier]] as far as all types are alike.
func (d *document) carriers(environ []string) ([]Carrier, error) {
	sections, err := d.sections(carrierTable, environ)
	problems := []error{err}
	var out []Carrier
	for _, s := range sections {
		c := Carrier{Section: s}
		r := s.Read()
		r.Text("name", &c.Name)
		r.Text("type", &c.Type)
		if c.Name != "" {
			s.title = fmt.Sprintf("carrier %q", c.Name)
		}
		switch {
		case len(r.problems) > 0:
		case c.Name == "":
			r.Wrong("name", "is missing")
		case !carrierForm.MatchString(c.Name):
			r.Wrong("name", "expected %s", CarrierName)
		case slices.ContainsFunc(out, func(o Carrier) bool { return o.Name == c.Name }):
			r.Wrong("name", "another carrier has this name")
		case c.Type == "":
			r.Wrong("type", "is missing")
		}
		problems = append(problems, r.problems...)
		out = append(out, c)
	}
	return out, errors.Join(problems...)
}

// routes reads every [[route]].
func (d *document) routes(environ []string) ([]route.Rule, error) {
	sections, err := d.sections(routeTable, environ)
	problems := []error{err}
	var out []route.Rule
	for _, s := range sections {
		r := s.Read()
		rule := route.Rule{Source: s.At("")}
		if r.Channels("channels", &rule.Channels); len(rule.Channels) == 0 && len(r.problems) == 0 {
			r.Wrong("channels", "is missing; expected a list of %s", channelNames())
		}
		r.Texts("prefix", &rule.Prefixes)
		r.Texts("country", &rule.Countries)
		r.filled("prefix", rule.Prefixes)
		r.filled("country", rule.Countries)
		for _, p := range rule.Prefixes {
			if err := route.CheckPrefix(p); err != nil {
				r.Wrong("prefix", "%q %v", p, err)
			}
		}
		for _, c := range rule.Countries {
			if err := route.CheckCountry(c); err != nil {
				r.Wrong("country", "%q %v", c, err)
			}
		}
		if slices.Contains(rule.Channels, message.Email) && len(rule.Prefixes)+len(rule.Countries) > 0 {
			r.Wrong("channels", "EMAIL has no prefix and no country; give it a route of its own")
		}
		rule.Choices = r.choices("carriers")
		problems = append(problems, r.End())
		out = append(out, rule)
	}
	return out, errors.Join(problems...)
}

// filled refuses an empty list: it would mean everything.
func (r *Reader) filled(key string, list []string) {
	if list != nil && len(list) == 0 {
		r.Wrong(key, "is an empty list; name at least one, or leave the key out where it is not needed")
	}
}

// Channels reads a list of channels.
func (r *Reader) Channels(key string, to *[]message.Channel) {
	var names []string
	r.Texts(key, &names)
	r.filled(key, names)
	var out []message.Channel
	for _, name := range names {
		c := message.Channel(name)
		switch {
		case !c.Known():
			r.Wrong(key, "%q is no channel; expected %s", name, channelNames())
		case slices.Contains(out, c):
			r.Wrong(key, "%s is there twice", name)
		}
		out = append(out, c)
	}
	if len(out) > 0 {
		*to = out
	}
}

func channelNames() string {
	var names []string
	for _, c := range message.Channels() {
		names = append(names, string(c))
	}
	return strings.Join(names, ", ")
}

const expectChoices = `a list of carriers' names, or of { name = "…", weight = 1 }`

// choices reads carriers = ["a", { name = "b", weight = 3 }].
func (r *Reader) choices(key string) []route.Choice {
	v, has := r.value(key)
	list, ok := v.([]any)
	if one, is := v.(string); is {
		list, ok = []any{one}, true
	}
	if has && !ok || len(list) == 0 {
		r.Wrong(key, "expected %s", expectChoices)
		return nil
	}
	var out []route.Choice
	for i, e := range list {
		c, ok := r.choice(key, i, e)
		switch {
		case !ok:
			return nil
		case slices.ContainsFunc(out, func(o route.Choice) bool { return o.Carrier == c.Carrier }):
			r.Wrong(key, "%q is there twice", c.Carrier)
		}
		out = append(out, c)
	}
	return out
}

func (r *Reader) choice(key string, i int, e any) (c route.Choice, ok bool) {
	switch e := e.(type) {
	case string:
		return route.Choice{Carrier: e}, true
	case map[string]any:
		s := r.section
		inner := (&Section{file: s.file, path: element(s.path+"."+key, i), title: s.title + ": " + key, values: e}).Read()
		c.Weight = 1
		inner.Text("name", &c.Carrier)
		inner.Int("weight", &c.Weight)
		if c.Carrier == "" {
			inner.Wrong("name", "is missing")
		}
		if c.Weight < 0 || c.Weight > route.MaxWeight {
			inner.Wrong("weight", "expected a whole number from 0 to %d", route.MaxWeight)
		}
		err := inner.End()
		r.Add(err)
		return c, err == nil
	}
	r.Wrong(key, "expected %s", expectChoices)
	return route.Choice{}, false
}
