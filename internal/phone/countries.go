package phone

import (
	"strings"
	"sync"

	"github.com/nyaruka/phonenumbers"
)

const (
	// maxPrefixes bounds what Countries remembers. Beyond it, it begins anew.
	maxPrefixes = 1 << 16
	// subscriberDigits are the last digits of a number, which never decide its
	// country.
	subscriberDigits = 4
	// areaDigits of a number with the calling code 1 decide its country: area
	// codes belong to one country each.
	areaDigits = 3
)

// Countries tells the countries of numbers as Info does, but quickly: it looks
// a range of numbers up once. A number that the plan does not have may get the
// country of its range. The zero value is ready, and safe for concurrent use.
type Countries struct {
	mu       sync.RWMutex // guards prefixes
	prefixes map[string]string
}

// Of returns the ISO 3166-1 alpha-2 code of the recipient's country; "" for an
// address, and where Info does not know it.
func (c *Countries) Of(r Recipient) string {
	n, ok := r.Number()
	if !ok || !n.CanExist() {
		return ""
	}
	digits := n.Reveal()[1:]
	code, regions := callingCode(digits)
	switch {
	case code == 0:
		return ""
	case len(regions) == 1 && regions[0] == phonenumbers.REGION_CODE_FOR_NON_GEO_ENTITY:
		return ""
	case len(regions) == 1:
		return regions[0]
	}
	prefix := digits[:max(len(digits)-subscriberDigits, 0)]
	if code == 1 && len(digits) == 1+10 {
		prefix = digits[:1+areaDigits]
	}
	key := string(rune('a'+len(digits))) + prefix //nolint:gosec // a number is short
	c.mu.RLock()
	country, known := c.prefixes[key]
	c.mu.RUnlock()
	if known {
		return country
	}
	info := n.Info()
	if info.Line == UnknownLine {
		return info.Country // it says nothing about its range
	}
	key = strings.Clone(key) // so that the key above stays on the stack where it is known
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.prefixes == nil || len(c.prefixes) >= maxPrefixes {
		c.prefixes = map[string]string{}
	}
	c.prefixes[key] = info.Country
	return info.Country
}

// callingCode returns the calling code that digits begin with and the regions
// that share it; 0 if there is none. No calling code begins with another one.
func callingCode(digits string) (code int, regions []string) {
	for _, d := range []byte(digits[:min(len(digits), 3)]) {
		code = code*10 + int(d-'0')
		if regions := phonenumbers.GetRegionCodesForCountryCode(code); len(regions) > 0 && regions[0] != phonenumbers.UNKNOWN_REGION {
			return code, regions
		}
	}
	return 0, nil
}
