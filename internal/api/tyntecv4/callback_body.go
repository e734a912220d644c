package tyntecv4

import (
	"errors"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/countersign/countersign/internal/api/wire"
	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/catalog"
)

// Names of headers are tokens (RFC 9110 §5.6.2); values are printable ASCII,
// blanks and tabs (callback events §9).
var (
	headerName  = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
	headerValue = regexp.MustCompile(`^[\t\x20-\x7E]*$`)
)

// callbackBody is the body of create and change (contract v4 §6.2.2).
type callbackBody struct {
	url, profileID *string
	headers        []pair
	hasHeaders     bool
}

// readCallback reads the body as far as its types.
func (c *call) readCallback() (callbackBody, error) {
	o, _, err := c.read()
	if err != nil {
		return callbackBody{}, err
	}
	b := callbackBody{url: o.text("url"), profileID: o.text("profileId")}
	b.headers, b.hasHeaders = o.pairs("headers")
	return b, o.fits()
}

func (f *facade) checkCallback(b callbackBody, v *violations) {
	v.required("url", b.url, size(1, f.Limits.CallbackURL), f.target)
	if b.profileID != nil && *b.profileID != "" {
		v.optional("profileId", b.profileID, uuidForm)
	}
	if m := sizeOf(len(b.headers), 0, f.Limits.HeaderCount); m != "" {
		v.add("headers", m)
	}
	seen := map[string]bool{}
	for _, h := range b.headers {
		field := "headers." + h.name
		v.optional(field, &h.name, size(1, f.Limits.HeaderName), matches(headerName), notReserved)
		v.optional(field, &h.value, size(0, f.Limits.HeaderValue), matches(headerValue))
		folded := strings.ToLower(h.name)
		if seen[folded] {
			v.add(field, mustBeUnique)
		}
		seen[folded] = true
	}
}

func notReserved(name string) string {
	if callback.ReservedHeader(name) {
		return "must not be a reserved header"
	}
	return ""
}

// target wants an absolute http or https URL with a host and without fragment
// that callbacks may reach.
func (f *facade) target(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Opaque != "" || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" ||
		strings.ContainsAny(s, "# ") || !utf8.ValidString(s) || !validPort(u.Port()) {
		return "must be an absolute http or https URL without fragment"
	}
	switch err := f.RefuseURL(u); {
	case errors.Is(err, callback.ErrHTTPS):
		return "must be an https URL"
	case err != nil:
		return "must not point to an address that callbacks may not reach"
	}
	return ""
}

func validPort(port string) bool {
	if port == "" {
		return true
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// apply makes the change: what is absent stays as it is.
func (b callbackBody) apply(c catalog.Callback) catalog.Callback {
	c.URL = *b.url
	if b.profileID != nil {
		c.ProfileID, _ = wire.CanonicalID(*b.profileID) // "" for ""
	}
	if b.hasHeaders {
		c.Headers = make([]catalog.Header, len(b.headers))
		for i, h := range b.headers {
			c.Headers[i] = catalog.Header{Name: h.name, Value: h.value}
		}
	}
	return c
}
