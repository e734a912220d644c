package wire

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxIdempotencyKey is the most characters that an idempotency key may have.
const maxIdempotencyKey = 255

// ErrIdempotencyKey is returned for a key that cannot be one.
var ErrIdempotencyKey = errors.New("malformed idempotency key")

// IdempotencyKey returns the header Idempotency-Key (V-08), "" if there is
// none. It has 1 to 255 visible ASCII characters and comes once; otherwise the
// error is ErrIdempotencyKey.
func IdempotencyKey(h http.Header) (string, error) {
	values := h.Values("Idempotency-Key")
	if len(values) == 0 {
		return "", nil
	}
	key := values[0]
	if len(values) > 1 || key == "" || len(key) > maxIdempotencyKey {
		return "", ErrIdempotencyKey
	}
	for _, c := range []byte(key) {
		if c <= ' ' || c > '~' {
			return "", ErrIdempotencyKey
		}
	}
	return key, nil
}

// RetryAfter returns the value of the header Retry-After: whole seconds,
// rounded up, at least 1.
func RetryAfter(wait time.Duration) string {
	seconds := (wait + time.Second - 1) / time.Second
	return strconv.FormatInt(int64(max(seconds, 1)), 10)
}

// List returns a header that may come once as one value: several are one list (RFC
// 9110 §5.3), which no key is.
func List(h http.Header, name string) string { return list(h.Values(name)) }

func list(values []string) string { return strings.Join(values, ", ") }

// TakeQuery removes every occurrence of the parameter name from the request's
// query and returns the value, "" if there is none. Several are one list, as
// headers are, which no key is: none of them counts (T-03). The request is changed
// in place, so that nothing that looks at it later can print a key that came in
// its URL (K-04).
func TakeQuery(r *http.Request, name string) string {
	if r.URL.RawQuery == "" {
		return ""
	}
	var kept, values []string
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		k, v, _ := strings.Cut(pair, "=")
		if k, err := url.QueryUnescape(k); err != nil || k != name {
			kept = append(kept, pair)
			continue
		}
		value, err := url.QueryUnescape(v)
		if err != nil {
			value = ""
		}
		values = append(values, value)
	}
	if len(values) > 0 {
		r.URL.RawQuery = strings.Join(kept, "&")
		r.RequestURI = r.URL.RequestURI()
	}
	return list(values)
}
