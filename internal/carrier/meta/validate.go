package meta

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/countersign/countersign/internal/carrier/setting"
	"github.com/countersign/countersign/internal/delivery"
)

const (
	maxName     = 64
	maxAccounts = 100
	maxSecret   = 4096
)

var (
	versionForm = regexp.MustCompile(`^v[0-9]{1,3}\.[0-9]{1,2}$`)
	idForm      = regexp.MustCompile(`^[0-9]{1,32}$`)
	refForm     = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)
	numberForm  = regexp.MustCompile(`^[0-9]{6,15}$`)
)

// Validate returns a KeyError for the first key that is wrong, or nil.
func (c Config) Validate() error {
	_, err := c.settle()
	return err
}

// settled is a valid Config in the form that is worked with.
type settled struct {
	Config
	base   string              // with the version, without a slash at its end
	byRef  map[string]*Account // by id and refs, in lower case
	byID   map[string]*Account
	errors map[int]delivery.Class
}

func (c Config) settle() (settled, error) {
	s := settled{Config: c.withDefaults(), byRef: map[string]*Account{}, byID: map[string]*Account{}, errors: map[int]delivery.Class{}}
	for _, check := range []func(*settled) *setting.KeyError{
		(*settled).checkName, (*settled).checkURL, (*settled).checkSecrets, (*settled).checkAccounts, (*settled).checkErrors,
	} {
		if err := check(&s); err != nil {
			return settled{}, err
		}
	}
	return s, nil
}

func wrong(key, format string, args ...any) *setting.KeyError {
	return &setting.KeyError{Key: key, Err: fmt.Errorf(format, args...)}
}

func (s *settled) checkName() *setting.KeyError {
	switch {
	case s.Name == "":
		return wrong("name", "is missing")
	case len(s.Name) > maxName || !setting.Printable(s.Name):
		return wrong("name", "has more than %d characters, or one that is not printable ASCII", maxName)
	}
	return nil
}

func (s *settled) checkURL() *setting.KeyError {
	u, err := url.Parse(s.BaseURL)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return wrong("base_url", "is no URL of the form https://HOST")
	case u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())):
		return wrong("base_url", "needs https: token and codes would travel in clear")
	case !versionForm.MatchString(s.Version):
		return wrong("version", `is %q; write it as "v23.0"`, s.Version)
	}
	s.base = strings.TrimRight(s.BaseURL, "/") + "/" + s.Version
	return nil
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (s *settled) checkSecrets() *setting.KeyError {
	own := func(has func(Account) bool) bool { return len(s.Accounts) > 0 && !slices.ContainsFunc(s.Accounts, has) }
	switch {
	case s.Token == (setting.Secret{}) && !own(func(a Account) bool { return a.Token == (setting.Secret{}) }):
		return wrong("token", "is missing")
	case s.AppSecret == (setting.Secret{}) && !own(func(a Account) bool { return a.AppSecret == (setting.Secret{}) }):
		return wrong("app_secret", "is missing")
	}
	for _, f := range []struct {
		key   string
		value setting.Secret
	}{
		{"token", s.Token},
		{"app_secret", s.AppSecret},
		{"verify_token", s.VerifyToken},
	} {
		if !fit(f.value) {
			return wrong(f.key, "is too long or has a character that is not printable ASCII")
		}
	}
	return nil
}

func fit(v setting.Secret) bool { return len(v.Reveal()) <= maxSecret && setting.Printable(v.Reveal()) }

func (s *settled) checkAccounts() *setting.KeyError {
	if n := len(s.Accounts); n < 1 || n > maxAccounts {
		return wrong("accounts", "are %d; use 1 to %d", n, maxAccounts)
	}
	ids := map[string]bool{} // of phone numbers
	for i := range s.Accounts {
		a := &s.Accounts[i]
		if err := a.check(); err != nil {
			return err
		}
		for _, ref := range append([]string{a.ID}, a.Refs...) {
			key := strings.ToLower(ref)
			if s.byRef[key] != nil {
				return wrong("accounts.refs", "%s names two accounts", ref)
			}
			s.byRef[key] = a
		}
		for _, id := range a.Numbers {
			if ids[id] {
				return wrong("accounts.numbers", "the phone number id %s stands twice", id)
			}
			ids[id] = true
		}
		s.byID[a.ID] = a
	}
	return nil
}

func (a *Account) check() *setting.KeyError {
	switch {
	case a.ID == "":
		return wrong("accounts.id", "is missing")
	case !idForm.MatchString(a.ID):
		return wrong("accounts.id", "is %q; WhatsApp's ids are digits", a.ID)
	case len(a.Numbers) == 0:
		return wrong("accounts.numbers", "is missing for account %s", a.ID)
	case !fit(a.Token):
		return wrong("accounts.token", "is too long or has a character that is not printable ASCII")
	case !fit(a.AppSecret):
		return wrong("accounts.app_secret", "is too long or has a character that is not printable ASCII")
	}
	for _, ref := range a.Refs {
		if !refForm.MatchString(ref) {
			return wrong("accounts.refs", "%q is no reference: use up to 64 letters, digits and hyphens", ref)
		}
	}
	for _, number := range slices.Sorted(maps.Keys(a.Numbers)) {
		switch {
		case !numberForm.MatchString(number):
			return wrong("accounts.numbers", "%q is no business number: use 6 to 15 digits without plus", number)
		case !idForm.MatchString(a.Numbers[number]):
			return wrong("accounts.numbers", "%s has no phone number id of digits", number)
		}
	}
	switch {
	case a.Sender == "":
		return wrong("accounts.sender", "is missing: account %s has several numbers", a.ID)
	case a.Numbers[a.Sender] == "":
		return wrong("accounts.sender", "%q is none of the account's numbers", a.Sender)
	}
	return nil
}

func (s *settled) checkErrors() *setting.KeyError {
	for _, text := range slices.Sorted(maps.Keys(s.Errors)) {
		code, err := strconv.ParseUint(text, 10, 31)
		class, ok := delivery.ParseClass(s.Errors[text])
		switch {
		case err != nil:
			return wrong("errors", `%q is no error code; write it as "131026"`, text)
		case !ok:
			return wrong("errors", "%s: %q is no class; use RETRY, PERMANENT or CONFIG", text, s.Errors[text])
		}
		s.errors[int(code)] = class
	}
	return nil
}

// account returns the account that an API account means by ref: the only one
// for "", nil if there is none that it may use.
func (s *settled) account(api, ref string) *Account {
	a := s.byRef[strings.ToLower(ref)]
	if ref == "" && len(s.Accounts) == 1 {
		a = &s.Accounts[0]
	}
	if a == nil || len(a.APIAccounts) > 0 && !slices.Contains(a.APIAccounts, api) {
		return nil
	}
	return a
}
