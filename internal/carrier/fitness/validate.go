package fitness

import (
	"fmt"
	"regexp"

	"github.com/countersign/countersign/internal/carrier/setting"
)

// maxSegments is what a concatenated message can have (3GPP TS 23.040).
const maxSegments = 255

var (
	domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	hashForm   = regexp.MustCompile(`^[A-Za-z0-9+/]{11}$`)
)

const maxDomain = 253

// Validate returns a KeyError for the first key that is wrong, or nil.
func (r Rules) Validate() error {
	wrong := func(key, format string, args ...any) error {
		return &setting.KeyError{Key: key, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case r.UnfitSender != "" && r.UnfitSender != Replace && r.UnfitSender != Refuse:
		return wrong("unfit_sender", "is %q; use %s or %s", r.UnfitSender, Replace, Refuse)
	case r.MaxSegments < 0 || r.MaxSegments > maxSegments:
		return wrong("max_segments", "is %d; use 1 to %d, or 0 for no limit", r.MaxSegments, maxSegments)
	case r.WebOTPDomain != "" && (len(r.WebOTPDomain) > maxDomain || !domainForm.MatchString(r.WebOTPDomain)):
		return wrong("webotp_domain", `is %q; use a host's name in lower case, such as "example.com", without scheme, port and path`, r.WebOTPDomain)
	case r.AndroidHash != "" && !hashForm.MatchString(r.AndroidHash):
		return wrong("android_hash", "is %q; use the app's 11 characters of base64", r.AndroidHash)
	}
	return nil
}

// SetKey returns the first key that asks for something, "" if none does.
func (r Rules) SetKey() string {
	switch {
	case r.UnfitSender != "":
		return "unfit_sender"
	case r.MaxSegments != 0:
		return "max_segments"
	case r.WebOTPDomain != "":
		return "webotp_domain"
	case r.AndroidHash != "":
		return "android_hash"
	}
	return ""
}
