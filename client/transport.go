package client

import "net/http"

// maxIdle is how many connections stay open for the next calls. net/http keeps 2
// to a server, so that more callers at once would dial for almost every call.
const maxIdle = 100

func defaultTransport() http.RoundTripper {
	t, ok := http.DefaultTransport.(*http.Transport)
	if !ok {
		return http.DefaultTransport // the program has put its own there
	}
	t = t.Clone()
	t.MaxIdleConns, t.MaxIdleConnsPerHost = maxIdle, maxIdle
	return t
}

// unled keeps an http.Client from following redirects, and from reading where
// they lead: it would tell that in an error, if it is no URL.
type unled struct{ next http.RoundTripper }

// RoundTrip implements http.RoundTripper.
func (u unled) RoundTrip(req *http.Request) (*http.Response, error) {
	next := u.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(req)
	if resp != nil {
		resp.Header.Del("Location")
	}
	return resp, err //nolint:wrapcheck // http.Client does
}
