package page

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Kept is a form that waits for its sender to give the password again.
type Kept struct {
	Target string // path below the base
	Post   bool
	Fields []KeptField
}

// KeptField is one value of a kept form.
type KeptField struct{ Name, Value string }

// keptPrefix begins the names of a kept form's fields.
const keptPrefix = "kept."

// askForProof shows the form that asks for the password again; what was posted
// waits in it.
func (k *Kit) askForProof(w http.ResponseWriter, r *Request) {
	kept := Kept{Target: strings.TrimPrefix(r.URL.RequestURI(), k.cfg.Base), Post: !safe(r.Method)}
	if kept.Post {
		for _, name := range slices.Sorted(maps.Keys(r.PostForm)) {
			if name == csrfField {
				continue
			}
			for _, value := range r.PostForm[name] {
				kept.Fields = append(kept.Fields, KeptField{keptPrefix + name, value})
			}
		}
	}
	r.set, r.form = k.own, &Form{values: map[string][]string{}}
	if r.Partial() { // the whole page, not into a fragment
		w.Header().Set("HX-Retarget", "body")
		w.Header().Set("HX-Reswap", "innerHTML")
	}
	if err := r.Render(w, http.StatusForbidden, "prove.html", kept); err != nil {
		k.fail(w, r, err)
	}
}

// KeptForm returns the form that waited while the password was given.
func (r *Request) KeptForm() Kept {
	f := r.Form()
	kept := Kept{Target: r.Next(f.Value("target")), Post: f.Value("post") == "true"}
	for _, name := range slices.Sorted(maps.Keys(r.PostForm)) {
		if strings.HasPrefix(name, keptPrefix) {
			for _, value := range r.PostForm[name] {
				kept.Fields = append(kept.Fields, KeptField{name, value})
			}
		}
	}
	return kept
}

// Plain returns the fields under their own names.
func (k Kept) Plain() []KeptField {
	all := make([]KeptField, 0, len(k.Fields))
	for _, f := range k.Fields {
		all = append(all, KeptField{strings.TrimPrefix(f.Name, keptPrefix), f.Value})
	}
	return all
}

// RenderProof writes the form that asks for the password again.
func (r *Request) RenderProof(w http.ResponseWriter, status int, kept Kept) error {
	r.set = r.kit.own
	return r.Render(w, status, "prove.html", kept)
}

// RenderProceed writes a page that posts what waited.
func (r *Request) RenderProceed(w http.ResponseWriter, kept Kept) error {
	r.set = r.kit.own
	return r.Render(w, http.StatusOK, "proceed.html", kept)
}
