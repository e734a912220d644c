package webhook

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/countersign/countersign/internal/callback"
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
	url     *url.URL
	secrets []callback.Secret
	guard   *callback.Guard
	tls     *tls.Config // nil: the system's
}

func (c Config) settle() (settled, error) {
	s := settled{Config: c.withDefaults()}
	s.guard = callback.NewGuard(callback.GuardConfig{AllowPrivate: s.AllowPrivate})
	for _, check := range []func(*settled) error{
		(*settled).checkName, (*settled).checkURL, (*settled).checkSecrets, (*settled).checkChannels,
		(*settled).checkHeaders, (*settled).checkMetadata, (*settled).checkTimeout,
	} {
		if err := check(&s); err != nil {
			return settled{}, err
		}
	}
	var err error
	s.tls, err = setting.LoadTLS(s.CAFile, s.CertFile, s.KeyFile)
	return s, err //nolint:wrapcheck // a KeyError already
}

func (s *settled) checkName() error {
	switch {
	case s.Name == "":
		return wrong("name", "is missing")
	case len(s.Name) > maxName:
		return wrong("name", "has %d characters; use 1 to %d", len(s.Name), maxName)
	}
	return nil
}

func (s *settled) checkURL() error {
	if s.URL == "" {
		return wrong("url", "is missing")
	}
	u, err := url.Parse(s.URL)
	if err != nil {
		return wrong("url", "is no URL") // the cause would quote it
	}
	switch err := s.guard.CheckURL(u); {
	case errors.Is(err, callback.ErrAddress):
		return wrong("url", "is an address that is refused; allow_private = true allows loopback and private ones")
	case err != nil:
		return wrong("url", "is no http or https URL with a host")
	case u.User != nil:
		return wrong("url", "holds a user name; use the keys username and password")
	case u.Fragment != "":
		return wrong("url", "has a fragment, which is never sent")
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && u.Scheme == "http" && !s.plainTo(ip) {
		return wrong("allow_plaintext", "codes would travel in clear to an address that is not private; use https, or allow_plaintext = true")
	}
	if u.Scheme == "http" && (s.CAFile != "" || s.CertFile != "" || s.KeyFile != "") {
		return wrong("url", "is http, and the tls_ keys have a meaning with https only")
	}
	s.url = u
	return nil
}

// plainTo reports whether plain HTTP may be spoken to an address.
func (s *settled) plainTo(ip netip.Addr) bool { return s.AllowPlaintext || httpsubmit.Private(ip) }

func (s *settled) checkSecrets() error {
	for _, f := range []struct {
		key    string
		value  setting.Secret
		needed bool
	}{{"secret", s.Secret, true}, {"previous_secret", s.PreviousSecret, false}} {
		if f.value.IsZero() {
			if f.needed {
				return wrong(f.key, "is missing")
			}
			continue
		}
		secret, err := callback.ParseSecret(f.value.Reveal())
		if err != nil {
			return wrong(f.key, `is no signing secret; use "whsec_" and the base64 of 32 random bytes`)
		}
		s.secrets = append(s.secrets, secret)
	}
	return s.CheckCredentials() //nolint:wrapcheck // a KeyError already
}

func (s *settled) checkChannels() error {
	for _, c := range s.Channels {
		if !c.Known() {
			return wrong("channels", "%q is no channel; use SMS, VOICE, WHATSAPP, VIBER or EMAIL", string(c))
		}
	}
	return nil
}

func (s *settled) checkHeaders() error {
	if len(s.Headers) > maxHeaders {
		return wrong("headers", "are %d; use %d at most", len(s.Headers), maxHeaders)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Headers)) {
		value := s.Headers[name].Reveal()
		switch {
		case !setting.FieldName(name):
			return wrong("headers", "%q is no name of a header", name)
		case callback.ReservedHeader(name), s.own(name):
			return wrong("headers", "%s is set by the server itself", name)
		case len(value) > maxHeader || !setting.Printable(value):
			return wrong("headers", "%s has more than %d characters, or one that is not printable ASCII", name, maxHeader)
		}
	}
	return nil
}

// own reports whether a header is written by the carrier, beside those that no
// webhook may set.
func (s *settled) own(name string) bool {
	switch strings.ToLower(name) {
	case "idempotency-key", "user-agent":
		return true
	case "authorization":
		return !s.Anonymous()
	}
	return false
}

func (s *settled) checkMetadata() error {
	if len(s.Metadata) > maxMetadata {
		return wrong("metadata", "has %d entries; use %d at most", len(s.Metadata), maxMetadata)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Metadata)) {
		if name == "" || len(name) > maxName || len(s.Metadata[name]) > maxMetadatum {
			return wrong("metadata", "%q or its value is empty or too long; names have 1 to %d characters, values at most %d", name, maxName, maxMetadatum)
		}
	}
	return nil
}

func (s *settled) checkTimeout() error {
	if s.Timeout < time.Second || s.Timeout > maxTimeout {
		return wrong("timeout", "is %v; use 1s to %v", s.Timeout, maxTimeout)
	}
	return nil
}
