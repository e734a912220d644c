package phone

import "github.com/nyaruka/phonenumbers"

// CallingCode returns the calling code of a country, an ISO 3166-1 alpha-2 code
// in any case. ErrUnknownCountry if it has no phone numbers of its own.
func CallingCode(iso string) (int, error) {
	c, err := lookUpCountry(iso)
	if err != nil {
		return 0, err
	}
	return phonenumbers.GetCountryCodeForRegion(string(c)), nil
}
