package metrics

import (
	"net/http"
	"strconv"
	"time"
)

// unmatched is the route of requests that no pattern matched.
const unmatched = "none"

// Requests counts the requests that next answers by the pattern of their
// route, which next leaves in Request.Pattern; never by their URL (P-02).
func (m *Metrics) Requests(next http.Handler, now func() time.Time) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := now()
		rec := &recorder{ResponseWriter: w}
		defer func() {
			route := r.Pattern
			if route == "" {
				route = unmatched
			}
			m.requests.WithLabelValues(route, strconv.Itoa(rec.status())).Inc()
			m.requestSeconds.WithLabelValues(route).Observe(now().Sub(start).Seconds())
		}()
		next.ServeHTTP(rec, r)
	})
}

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter

	code int
}

// WriteHeader remembers the first final status.
func (r *recorder) WriteHeader(code int) {
	if r.code == 0 && code >= http.StatusOK {
		r.code = code
	}
	r.ResponseWriter.WriteHeader(code)
}

// Write is an answer of 200 if no other was given.
func (r *recorder) Write(b []byte) (int, error) {
	if r.code == 0 {
		r.code = http.StatusOK
	}
	return r.ResponseWriter.Write(b) //nolint:wrapcheck // passed through
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func (r *recorder) status() int {
	if r.code == 0 {
		return http.StatusOK
	}
	return r.code
}
