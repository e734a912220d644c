package kannel

import (
	"crypto/tls"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/carrier/httpsubmit"
	"github.com/countersign/countersign/internal/carrier/setting"
)

// Validate returns a KeyError for the first key that is wrong, or nil. It reads
// the files that the TLS keys name and does nothing else.
func (c Config) Validate() error {
	_, err := c.settle()
	return err
}

func wrong(key, format string, args ...any) error {
	return &setting.KeyError{Key: key, Err: fmt.Errorf(format, args...)}
}

// settled is a valid Config in the form that is worked with.
type settled struct {
	Config
	url      *url.URL
	metadata string      // as Kannel reads it
	tls      *tls.Config // nil: the system's
}

func (c Config) settle() (settled, error) {
	s := settled{Config: c.withDefaults()}
	for _, check := range []func(*settled) error{
		(*settled).checkTexts, (*settled).checkURL, (*settled).checkWords, (*settled).checkNumbers, (*settled).checkMetadata,
	} {
		if err := check(&s); err != nil {
			return settled{}, err
		}
	}
	var err error
	s.tls, err = setting.LoadTLS(s.CAFile, s.CertFile, s.KeyFile)
	return s, err //nolint:wrapcheck // a KeyError already
}

func (s *settled) checkTexts() error {
	for _, f := range []struct {
		key, value string
		needed     bool
	}{
		{"name", s.Name, true},
		{"username", s.Username, true},
		{"password", s.Password.Reveal(), true},
		{"sender", s.Sender, false},
		{"smsc", s.SMSC, false},
		{"account", s.Account, false},
	} {
		switch {
		case f.needed && f.value == "":
			return wrong(f.key, "is missing")
		case len(f.value) > maxText:
			return wrong(f.key, "has %d characters; use %d at most", len(f.value), maxText)
		case !setting.Printable(f.value):
			return wrong(f.key, "has a character that is not printable ASCII")
		}
	}
	return nil
}

func (s *settled) checkURL() error {
	if s.URL == "" {
		return wrong("url", "is missing")
	}
	u, err := url.Parse(s.URL)
	switch {
	case err != nil: // the cause would quote it
		return wrong("url", "is no URL")
	case u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return wrong("url", "is no http or https URL with a host")
	case u.User != nil, u.RawQuery != "", u.Fragment != "":
		return wrong("url", "ends with the path; user name and parameters have keys of their own")
	case u.Scheme == "http" && (s.CAFile != "" || s.CertFile != "" || s.KeyFile != ""):
		return wrong("url", "is http, and the tls_ keys have a meaning with https only")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && u.Scheme == "http" && !s.plainTo(ip) {
		return wrong("allow_plaintext", "password and codes would travel in clear to an address that is not private; use https, or allow_plaintext = true")
	}
	s.url = u
	return nil
}

// plainTo reports whether plain HTTP may be spoken to an address.
func (s *settled) plainTo(ip netip.Addr) bool { return s.AllowPlaintext || httpsubmit.Private(ip) }

func (s *settled) checkWords() error {
	for _, f := range []struct {
		key, value string
		words      []string
	}{
		{"method", s.Method, []string{post, form, get}},
		{"long", s.Long, []string{udh, gateway}},
	} {
		if !slices.Contains(f.words, f.value) {
			return wrong(f.key, "is %q; use one of %s", f.value, strings.Join(f.words, ", "))
		}
	}
	return nil
}

func (s *settled) checkNumbers() error {
	if s.Priority < 0 || s.Priority > maxPriority {
		return wrong("priority", "is %d; use 0 to %d", s.Priority, maxPriority)
	}
	if s.Timeout < time.Second || s.Timeout > maxTimeout {
		return wrong("timeout", "is %v; use 1s to %v", s.Timeout, maxTimeout)
	}
	return nil
}

// checkMetadata writes the metadata as Kannel reads it: ?smpp?name=value&….
func (s *settled) checkMetadata() error {
	values := url.Values{}
	for _, name := range slices.Sorted(maps.Keys(s.Metadata)) {
		if name == "" || !setting.Printable(name) || !setting.Printable(s.Metadata[name]) {
			return wrong("metadata", "%q is empty, or it or its value has a character that is not printable ASCII", name)
		}
		values.Set(name, s.Metadata[name])
	}
	if len(values) == 0 {
		return nil
	}
	if s.metadata = "?smpp?" + values.Encode(); len(s.metadata) > maxMetadata {
		return wrong("metadata", "has %d bytes as it is sent; use %d at most", len(s.metadata), maxMetadata)
	}
	return nil
}
