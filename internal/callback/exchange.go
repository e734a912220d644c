package callback

import (
	"bytes"
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
)

// exchange makes the POST of an attempt and returns the head of its answer, or
// the problem that kept it from one.
//
// A POST that meets the end of an idle connection is made again at once: almost
// always nothing reached the receiver, and the event would wait for its retry.
// That is done once, and on a new connection: a receiver that dies of each POST
// would otherwise get one through every idle connection. If the receiver did
// take the first, the second has the same webhook-id (S6).
func (c *client) exchange(req *http.Request, body []byte) (*http.Response, string) {
	resp, seen, err := roundTrip(c.transport, req, body)
	if err != nil && seen.endOfIdle() && req.Context().Err() == nil {
		resp, seen, err = roundTrip(c.fresh, req, body)
	}
	if err != nil {
		return nil, seen.problem(err)
	}
	return resp, ""
}

// roundTrip sends body over one connection. It uses RoundTrip and not
// http.Client: no redirects, no cookies, and basic authentication only where
// the request has it.
func roundTrip(t *http.Transport, req *http.Request, body []byte) (*http.Response, *sighting, error) {
	seen := &sighting{}
	req = req.WithContext(httptrace.WithClientTrace(req.Context(), seen.trace()))
	req.Body = io.NopCloser(bytes.NewReader(body))
	// With it, and an Idempotency-Key of the customer's, net/http would make the
	// POST again on each idle connection in turn.
	req.GetBody = nil
	resp, err := t.RoundTrip(req)
	return resp, seen, err //nolint:wrapcheck // it is told apart here, not passed on
}

// sighting is what was seen of a request's connection. Goroutines of net/http
// write it.
type sighting struct {
	connected   atomic.Bool // the request had a connection
	idle        atomic.Bool // which had served before
	answered    atomic.Bool // a byte of an answer came
	noHandshake atomic.Bool // a TLS handshake failed
}

func (s *sighting) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GotConn: func(got httptrace.GotConnInfo) {
			s.idle.Store(got.Reused)
			s.connected.Store(true)
		},
		GotFirstResponseByte: func() { s.answered.Store(true) },
		TLSHandshakeDone: func(_ tls.ConnectionState, err error) {
			if err != nil {
				s.noHandshake.Store(true)
			}
		},
	}
}

// endOfIdle reports whether a request that failed met the end of an idle
// connection. It did not if a new one broke, or an answer had begun.
func (s *sighting) endOfIdle() bool { return s.idle.Load() && !s.answered.Load() }

// problem names err, which the request failed with. What a handshake fails with
// has no type of its own if the peer hangs up or picks an old version. A
// handshake that failed while an idle connection served is not the reason.
func (s *sighting) problem(err error) string {
	problem := problemOf(err)
	if problem == ProblemConnection && s.noHandshake.Load() && !s.connected.Load() {
		return ProblemTLS
	}
	return problem
}
