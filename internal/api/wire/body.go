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
// ErrTooLarge, by its Content-Length without reading any of it; w is told, so
// that a connection that has to be drained first is closed instead. Over HTTP/2
// only the stream ends: the connection is other requests' too.
func ReadBody(w http.ResponseWriter, r *http.Request, most int) ([]byte, error) {
	if r.ContentLength > int64(most) {
		if r.ProtoMajor < 2 {
			w.Header().Set("Connection", "close")
		}
		return nil, ErrTooLarge
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
		if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
			return nil, ErrTooLarge
		}
		return nil, fmt.Errorf("read request body: %w", err)
	}
	return body, nil
}
