package callback

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// hostAddr reads a URL's host, without brackets. literal says that it is an
// address in any of the spellings that some resolver somewhere takes for one:
// besides the usual ones the IPv4 forms of inet_aton (127.1, 0177.0.0.1,
// 0x7f000001, 2130706433), full-width digits and dots, and a dot at the end.
// ErrURL is returned for what can be neither address nor name.
func hostAddr(host string) (ip netip.Addr, literal bool, err error) {
	// What an HTTP client makes of letters outside ASCII (UTS 46): mapped as by
	// NFKC, invisible ones dropped.
	host = strings.Map(func(r rune) rune {
		switch {
		case r == '。':
			return '.'
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, norm.NFKC.String(host))
	host = strings.TrimRight(host, ".")
	switch {
	case host == "":
		return netip.Addr{}, false, ErrURL
	case strings.Contains(host, ":"):
		ip, err := netip.ParseAddr(host)
		if err != nil {
			return netip.Addr{}, false, ErrURL
		}
		return ip, true, nil
	case strings.ContainsAny(host, " /\\?#@[]%<>^|\x00"):
		return netip.Addr{}, false, ErrURL
	}
	last := host[strings.LastIndexByte(host, '.')+1:]
	if !isNumber(last) {
		return netip.Addr{}, false, nil
	}
	// No top-level domain is a number (RFC 3696 §2): this is an address or
	// nothing.
	ip, ok := parseLoose(host)
	if !ok {
		return netip.Addr{}, false, ErrURL
	}
	return ip, true, nil
}

// isNumber reports whether a label is decimal digits, or 0x and hexadecimal
// ones.
func isNumber(label string) bool {
	if hex, ok := cutHex(label); ok {
		return strings.Trim(hex, "0123456789abcdefABCDEF") == ""
	}
	return label != "" && strings.Trim(label, "0123456789") == ""
}

func cutHex(label string) (string, bool) {
	if len(label) >= 2 && label[0] == '0' && (label[1] == 'x' || label[1] == 'X') {
		return label[2:], true
	}
	return label, false
}

// parseLoose reads one to four numbers as inet_aton does: the last fills all
// the bytes that are left.
func parseLoose(host string) (netip.Addr, bool) {
	const size = 4
	parts := strings.Split(host, ".")
	if len(parts) > size {
		return netip.Addr{}, false
	}
	var ip uint64
	for i, part := range parts {
		n, ok := parseNumber(part)
		bytes := 1
		if i == len(parts)-1 {
			bytes = size - i
		}
		if !ok || n >= 1<<(8*bytes) {
			return netip.Addr{}, false
		}
		ip = ip<<(8*bytes) | n
	}
	var b [size]byte
	binary.BigEndian.PutUint32(b[:], uint32(ip))
	return netip.AddrFrom4(b), true
}

// parseNumber reads decimal, 0 octal and 0x hexadecimal; a bare 0x is zero.
func parseNumber(label string) (uint64, bool) {
	if !isNumber(label) {
		return 0, false
	}
	base := 10
	if hex, ok := cutHex(label); ok {
		label, base = "0"+hex, 16
	} else if len(label) > 1 && label[0] == '0' {
		base = 8
	}
	n, err := strconv.ParseUint(label, base, 64)
	return n, err == nil
}
