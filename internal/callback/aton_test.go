package callback_test

import (
	"net/netip"
	"strings"
)

// inetAton is C's function of that name, written from its manual page and
// apart from the guard's own reading: it walks bytes and keeps 64 bits.
func inetAton(s string) (netip.Addr, bool) {
	var parts []uint64
	for s = strings.ToLower(strings.TrimSuffix(s, ".")); ; {
		base := uint64(10)
		if strings.HasPrefix(s, "0x") {
			base, s = 16, s[2:]
		} else if strings.HasPrefix(s, "0") {
			base = 8
		}
		var n uint64
		i := 0
		for ; i < len(s); i++ {
			d := uint64(strings.IndexByte("0123456789abcdef", s[i]))
			if d >= base || n > 1<<32 {
				break
			}
			n = n*base + d
		}
		if i == 0 && base != 16 {
			return netip.Addr{}, false
		}
		parts = append(parts, n)
		if i == len(s) {
			break
		}
		if s[i] != '.' || len(parts) == 4 {
			return netip.Addr{}, false
		}
		s = s[i+1:]
	}
	var ip uint64
	for i, n := range parts {
		if i < len(parts)-1 {
			if n > 255 {
				return netip.Addr{}, false
			}
			ip |= n << (24 - 8*i)
			continue
		}
		if n >= 1<<(32-8*i) {
			return netip.Addr{}, false
		}
		ip |= n
	}
	return netip.AddrFrom4([4]byte{byte(ip >> 24), byte(ip >> 16), byte(ip >> 8), byte(ip)}), true
}
