package wire

import (
	"net/url"
	"strings"
)

// Paths finds an API's operations, each a T, by path and method. http.ServeMux
// is no help here: it redirects where the contracts accept, and answers 405 in
// its own words. The zero Paths has none; once all are added, it may be read by
// many goroutines.
type Paths[T any] struct{ root Path[T] }

// Path is a place in the tree of paths.
type Path[T any] struct {
	below      map[string]*Path[T] // by segment; a parameter's is ""
	operations map[string]T        // by method
	methods    []string            // in the order that they were added
}

// Add adds an operation. The pattern is its method and its path, in which {…}
// stands for one segment, whatever it is.
func (p *Paths[T]) Add(pattern string, operation T) {
	method, path, _ := strings.Cut(pattern, " ")
	at := &p.root
	for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
		if strings.HasPrefix(segment, "{") {
			segment = ""
		}
		next := at.below[segment]
		if next == nil {
			next = &Path[T]{}
			if at.below == nil {
				at.below = map[string]*Path[T]{}
			}
			at.below[segment] = next
		}
		at = next
	}
	if at.operations == nil {
		at.operations = map[string]T{}
	}
	at.operations[method] = operation
	at.methods = append(at.methods, method)
}

// Find returns the path that has operations at an escaped path, nil if there is
// none, and what stands for its parameters, unescaped. One trailing slash means
// nothing.
func (p *Paths[T]) Find(escaped string) (*Path[T], []string) {
	var params []string
	at := &p.root
	for segment := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/"), "/") {
		text, err := url.PathUnescape(segment)
		if err != nil || text == "" {
			return nil, nil
		}
		below := at.below[text]
		if below == nil {
			if below = at.below[""]; below == nil {
				return nil, nil
			}
			params = append(params, text)
		}
		at = below
	}
	if at.operations == nil {
		return nil, nil
	}
	return at, params
}

// Operation returns the operation of a method, the zero T if the path has none.
func (p *Path[T]) Operation(method string) T { return p.operations[method] }

// Methods returns the methods of the path's operations, in the order that they
// were added. The caller must not change them.
func (p *Path[T]) Methods() []string { return p.methods }
