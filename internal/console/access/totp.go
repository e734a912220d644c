package access

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
)

// One-time codes of an authenticator app (RFC 6238) with what every app
// understands: SHA-1, six digits, 30 seconds, one step of tolerance.
const (
	totpPeriod = 30
	totpSkew   = 1
	totpBytes  = 20
	issuer     = "Countersign"
)

var totpOptions = hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1}

// newTOTP draws the secret of an authenticator app, in base32.
func newTOTP() string {
	secret := make([]byte, totpBytes)
	_, _ = rand.Read(secret) // never fails
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(secret)
}

// totpStep returns the time step that code is right for at now, false if it is
// wrong.
func totpStep(secret, code string, now time.Time) (int64, bool) {
	code = strings.Map(func(r rune) rune {
		if r == ' ' {
			return -1
		}
		return r
	}, code)
	at := now.Unix() / totpPeriod
	found, right := int64(0), false
	for step := at - totpSkew; step <= at+totpSkew; step++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(step), totpOptions) //nolint:gosec // after 1970
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found, right = step, true
		}
	}
	return found, right
}

// TOTPURL is what an authenticator app reads as a QR code.
func TOTPURL(secret, account, name string) string {
	label := url.PathEscape(issuer + " " + account + ":" + name)
	query := url.Values{
		"secret": {secret}, "issuer": {issuer}, "algorithm": {"SHA1"}, "digits": {"6"}, "period": {strconv.Itoa(totpPeriod)},
	}
	return "otpauth://totp/" + label + "?" + query.Encode()
}
