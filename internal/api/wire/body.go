package wire

import (
	"errors"
	"fmt"
	"io"
	"net/http"
)

// MaxBody is the most octets that a request's body may have (T-04).
const MaxBody = 64 << 10

// ErrTooLarge is returned for a body that has more octets than it may.
var ErrTooLarge = errors.New("request body too large")

// promptBody is the longest announced body that is given its memory before it
// has come: announcing costs a stranger nothing.
const promptBody = 4 << 10

// ReadBody reads the request's body of at most most octets. A longer one is
// ErrTooLarge, by its Content-Length without reading any of it; the answer then
// closes the connection, which would have to be drained first. Over HTTP/2 only
// the stream ends: the connection is other requests' too.
func ReadBody(w http.ResponseWriter, r *http.Request, most int) ([]byte, error) {
	if r.ContentLength > int64(most) {
		return nil, tooLarge(w, r)
	}
	if 0 < r.ContentLength && r.ContentLength <= promptBody {
		body := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, body); err != nil {
			return nil, fmt.Errorf("read request body: %w", err)
		}
		return body, nil
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(most)))
	if err != nil {
		return nil, unread(w, r, err)
	}
	return body, nil
}

// PassBody is ReadBody where nobody asks for the body: it keeps nothing, and
// reads only what came without Content-Length, to tell how long it is.
func PassBody(w http.ResponseWriter, r *http.Request, most int) error {
	switch {
	case r.ContentLength > int64(most):
		return tooLarge(w, r)
	case r.ContentLength >= 0:
		return nil
	}
	if _, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, int64(most))); err != nil {
		return unread(w, r, err)
	}
	return nil
}

// unread is the error of a body that could not be read to its end.
func unread(w http.ResponseWriter, r *http.Request, err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return tooLarge(w, r)
	}
	return fmt.Errorf("read request body: %w", err)
}

// tooLarge lets the answer close the connection. http.MaxBytesReader would, but
// for what stands around w, which hides from it how.
func tooLarge(w http.ResponseWriter, r *http.Request) error {
	if r.ProtoMajor < 2 {
		w.Header().Set("Connection", "close")
	}
	return ErrTooLarge
}
