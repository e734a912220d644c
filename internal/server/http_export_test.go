package server

import "net/http"

// Facade is what stands before a facade that owns prefix.
func Facade(prefix string, h http.Handler) http.Handler {
	return facades{owned: []owned{{prefix, h}}, rest: http.NotFoundHandler()}
}
