package phone

import (
	"strings"

	"github.com/nyaruka/phonenumbers"
	"golang.org/x/text/language"
)

// Line is what answers at a number.
type Line int

const (
	// UnknownLine is a number that the number plan does not have.
	UnknownLine Line = iota
	// Mobile is a mobile phone.
	Mobile
	// FixedLine is a fixed line.
	FixedLine
	// FixedOrMobile is either; the number does not tell, as in North America.
	FixedOrMobile
	// OtherLine is a service: toll-free, premium rate, shared cost, VoIP, pager
	// and the like.
	OtherLine
)

// String returns the line in words.
func (l Line) String() string {
	switch l {
	case Mobile:
		return "mobile"
	case FixedLine:
		return "fixed line"
	case FixedOrMobile:
		return "fixed line or mobile"
	case OtherLine:
		return "other"
	case UnknownLine:
	}
	return "unknown"
}

func lineOf(t phonenumbers.PhoneNumberType) Line {
	switch t {
	case phonenumbers.UNKNOWN:
		return UnknownLine
	case phonenumbers.MOBILE:
		return Mobile
	case phonenumbers.FIXED_LINE:
		return FixedLine
	case phonenumbers.FIXED_LINE_OR_MOBILE:
		return FixedOrMobile
	default: // services
		return OtherLine
	}
}

// Info is what the number plan says about a number.
type Info struct {
	// Country is the ISO 3166-1 alpha-2 code. A number that the plan does not
	// have gets the main country of its calling code. It is "" if the calling
	// code is unknown or belongs to no country.
	Country string
	// CallingCode is 1 to 999; 0 if it is unknown.
	CallingCode int
	// Line is UnknownLine exactly if the plan does not have the number.
	Line Line
}

// Info looks n up in the number plan. It costs about 50 µs and is to be called
// once per send. The zero Number gives the zero Info.
func (n Number) Info() (info Info) {
	defer func() {
		if recover() != nil { // R-04; see guarded
			info = Info{}
		}
	}()
	if n.IsZero() {
		return Info{}
	}
	parsed, err := phonenumbers.Parse(n.Reveal(), "")
	if err != nil {
		return Info{}
	}
	info.CallingCode = int(parsed.GetCountryCode())
	info.Line = lineOf(phonenumbers.GetNumberType(parsed))
	if info.Line == UnknownLine {
		info.Country = phonenumbers.GetRegionCodeForCountryCode(info.CallingCode)
	} else {
		info.Country = phonenumbers.GetRegionCodeForNumber(parsed)
	}
	if info.Country == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY || info.Country == phonenumbers.UNKNOWN_REGION {
		info.Country = ""
	}
	return info
}

// MainLanguage returns the two-letter code of the language most likely spoken
// in country, an ISO 3166-1 alpha-2 code, according to CLDR (contract v1 §2.8).
// It is "en" if the country is not known or its language has no such code.
func MainLanguage(country string) string {
	region, err := language.ParseRegion(strings.ToUpper(country))
	if err != nil || len(country) != 2 {
		return fallbackLanguage
	}
	tag, err := language.Compose(region)
	if err != nil {
		return fallbackLanguage
	}
	if code := newerLanguage(region.String()); code != "" {
		return code
	}
	base, _ := tag.Base()
	if code := base.String(); len(code) == 2 {
		return code
	}
	return fallbackLanguage
}

// newerLanguage returns the main language of a country of which CLDR has changed
// its mind since release 32, which golang.org/x/text holds; "" for every other.
// The source is supplemental/likelySubtags of CLDR 48. Its ar for SS and TD, ms
// for CC, sg for CF and wo for SN are left out: services there write to people in
// English or French, as release 32 has it.
func newerLanguage(country string) string {
	switch country {
	case "BY":
		return "ru"
	case "CD", "DJ", "MU":
		return "fr"
	}
	return ""
}

const fallbackLanguage = "en"
