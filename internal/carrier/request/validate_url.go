package request

import (
	"errors"
	"net/netip"
	"net/url"
	"regexp"
	"strings"

	"github.com/countersign/countersign/internal/callback"
	"github.com/countersign/countersign/internal/carrier/httpsubmit"
)

// escaped is a byte as URLs write it.
var escaped = regexp.MustCompile(`%[0-9A-Fa-f]{2}`)

func (s *settled) checkURL() error {
	if s.URL == "" {
		return wrong("url", "is missing")
	}
	t, base, err := s.readURL("url", s.URL)
	if err != nil {
		return err
	}
	if t.has("text", "code") != "" && !s.CodeInURL {
		return wrong("url", "has {%s}: the code would stand in access logs; send it in the body, or set allow_code_in_url = true", t.has("text", "code"))
	}
	if base.Scheme == "http" && (s.CAFile != "" || s.CertFile != "" || s.KeyFile != "") {
		return wrong("url", "is http, and the tls_ keys have a meaning with https only")
	}
	s.url, s.base = t, base
	if s.CheckURL == "" {
		return nil
	}
	check, other, err := s.readURL("check_url", s.CheckURL)
	switch {
	case err != nil:
		return err
	case other.Scheme != base.Scheme || other.Host != base.Host:
		return wrong("check_url", "is at another host than url")
	case check.holds(func(name string) bool { return !isSecret(name) }):
		return wrong("check_url", "has a placeholder of a message; only {secret.NAME} stands here")
	}
	s.probe = check
	return nil
}

// readURL reads a URL's template, and the scheme and host that it has, in which
// no placeholder may stand: what a message holds never decides whom we ask.
func (s *settled) readURL(key, text string) (template, *url.URL, error) {
	fail := func(format string, args ...any) (template, *url.URL, error) {
		return template{}, nil, wrong(key, format, args...)
	}
	if len(text) > maxURL {
		return fail("has %d bytes; use %d at most", len(text), maxURL)
	}
	t, err := parse(text, s.known)
	if err != nil {
		return fail("%w", err)
	}
	_, rest, ok := strings.Cut(text, "://")
	host := rest
	if end := strings.IndexAny(rest, `/?#\`); end >= 0 {
		host = rest[:end]
	}
	if ok && strings.ContainsAny(text[:len(text)-len(rest)]+host, "{}") {
		return fail("has a placeholder in scheme, host or port; it may stand in path and query")
	}
	u, err := url.Parse(t.sample())
	if err != nil || !visible(text) || strings.Contains(text, `\`) || strings.Contains(escaped.ReplaceAllString(t.sample(), ""), "%") {
		return fail("is no URL") // the cause would quote it
	}
	switch err := s.guard.CheckURL(u); {
	case errors.Is(err, callback.ErrAddress):
		return fail("is an address that is refused; allow_private = true allows loopback and private ones")
	case err != nil:
		return fail("is no http or https URL with a host")
	case u.User != nil:
		return fail("holds a user name; use the keys username and password")
	case strings.Contains(text, "#"):
		return fail("has a fragment, which is never sent")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && u.Scheme == "http" && !s.plainTo(ip) {
		return template{}, nil, wrong("allow_plaintext", "codes would travel in clear to an address that is not private; use https, or allow_plaintext = true")
	}
	return t.inURL(), &url.URL{Scheme: u.Scheme, Host: u.Host}, nil
}

// plainTo reports whether plain HTTP may be spoken to an address.
func (s *settled) plainTo(ip netip.Addr) bool { return s.AllowPlaintext || httpsubmit.Private(ip) }

// mayReach is asked about each address before it is connected to.
func (s *settled) mayReach(ip netip.Addr) bool {
	return s.guard.CheckAddr(ip) == nil && (s.base.Scheme == "https" || s.plainTo(ip))
}

func isSecret(name string) bool { return strings.HasPrefix(name, secretPrefix) }
