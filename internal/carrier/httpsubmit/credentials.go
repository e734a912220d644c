package httpsubmit

import (
	"errors"
	"net/http"
	"strings"

	"github.com/countersign/countersign/internal/carrier/setting"
)

// Credentials are how a carrier shows who it is: by a name and a password, by a
// bearer token, or not at all.
type Credentials struct {
	// Username and Password are sent by HTTP's basic authentication.
	Username string
	Password setting.Secret
	// Bearer is sent as a bearer token.
	Bearer setting.Secret
}

var (
	errBoth      = errors.New("and username cannot both be sent")
	errNobody    = errors.New("is missing beside password")
	errUsername  = errors.New("has a colon or a character that is not printable ASCII")
	errPrintable = errors.New("has a character that is not printable ASCII")
)

// CheckCredentials returns a KeyError of the keys username and bearer, or nil.
func (c Credentials) CheckCredentials() error {
	switch {
	case !c.Bearer.IsZero() && c.Username != "":
		return &setting.KeyError{Key: "bearer", Err: errBoth}
	case c.Username == "" && !c.Password.IsZero():
		return &setting.KeyError{Key: "username", Err: errNobody}
	case strings.Contains(c.Username, ":") || !setting.Printable(c.Username):
		return &setting.KeyError{Key: "username", Err: errUsername}
	case !setting.Printable(c.Bearer.Reveal()):
		return &setting.KeyError{Key: "bearer", Err: errPrintable}
	}
	return nil
}

// Anonymous reports whether nothing is shown, so that the header Authorization is
// free.
func (c Credentials) Anonymous() bool { return c.Username == "" && c.Bearer.IsZero() }

// Authorize writes them into a request.
func (c Credentials) Authorize(req *http.Request) {
	switch {
	case c.Username != "":
		req.SetBasicAuth(c.Username, c.Password.Reveal())
	case !c.Bearer.IsZero():
		req.Header.Set("Authorization", "Bearer "+c.Bearer.Reveal())
	}
}
