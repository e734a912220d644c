package httpsubmit

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// once returns the request in a form that is written once, and the transport to
// do that.
//
// When a kept connection breaks after a request was written, net/http sends it
// again by itself if it takes it for one that may be repeated: by its method, or
// by a key in the map of headers in exactly this spelling (http.Transport). The
// upstream may have acted on the first, and only the answer to the second would
// be heard: a 401 would send the message to the next carrier too. So what has
// such a method gets a connection of its own, on which nothing is sent again, and
// a key is spelled as HTTP/2 does; names of headers have no letter case
// (RFC 9110 §5.1).
//
// What is left is a request that a kept connection did not take at all, and one
// that an HTTP/2 server says it did not process (RFC 9113 §8.7).
func (c *Client) once(req *http.Request) (*http.Request, *http.Transport) {
	for _, name := range []string{"Idempotency-Key", "X-Idempotency-Key"} {
		if values, ok := req.Header[name]; ok {
			one := *req
			one.Header = maps.Clone(req.Header)
			delete(one.Header, name)
			lower := strings.ToLower(name)
			one.Header[lower] = slices.Concat(one.Header[lower], values)
			req = &one
		}
	}
	switch req.Method {
	case "", http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		return req, c.single
	}
	return req, c.kept
}
