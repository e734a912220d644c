package callback

import "net/netip"

// ranges are networks, asked one by one: there are few.
type ranges []netip.Prefix

func parseRanges(prefixes ...string) ranges {
	r := make(ranges, len(prefixes))
	for i, p := range prefixes {
		r[i] = netip.MustParsePrefix(p)
	}
	return r
}

func (r ranges) contain(ip netip.Addr) bool {
	for _, p := range r {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// metadataRanges are where hosts keep their secrets for anybody who asks:
// link-local networks and the metadata services of clouds. Neither the
// all-private switch nor a wide allowed network opens them.
func metadataRanges() ranges {
	return parseRanges(
		"169.254.0.0/16",         // link-local (RFC 3927); metadata of most clouds
		"fe80::/10",              // link-local (RFC 4291)
		"100.100.100.200/32",     // Alibaba Cloud
		"168.63.129.16/32",       // Azure's platform address, a public one
		"192.0.0.192/32",         // Oracle Cloud, old form
		"fd00:ec2::/32",          // AWS: ::254 metadata, ::23 pod identities, ::253 names, ::123 time
		"fd20:ce::254/128",       // Google Cloud
		"fd00:c1::a9fe:a9fe/128", // Oracle Cloud
		"fd00:42::42/128",        // Scaleway
	)
}

// privateRanges are what the all-private switch opens.
func privateRanges() ranges {
	return parseRanges(
		"127.0.0.0/8",    // loopback
		"::1/128",        // loopback
		"10.0.0.0/8",     // private (RFC 1918)
		"172.16.0.0/12",  // private
		"192.168.0.0/16", // private
		"fc00::/7",       // unique local (RFC 4193)
	)
}

// specialRanges are the other networks that no customer's endpoint is in
// (W-01; IANA's special-purpose registries).
func specialRanges() ranges {
	return parseRanges(
		"0.0.0.0/8",       // this network; 0.0.0.0 reaches the own host
		"100.64.0.0/10",   // shared, carrier-grade NAT (RFC 6598)
		"192.0.0.0/24",    // protocol assignments
		"192.0.2.0/24",    // documentation
		"192.88.99.0/24",  // 6to4 relays (RFC 7526)
		"198.18.0.0/15",   // benchmarks
		"198.51.100.0/24", // documentation
		"203.0.113.0/24",  // documentation
		"224.0.0.0/4",     // multicast
		"240.0.0.0/4",     // reserved, broadcast
		"::/96",           // unspecified, IPv4-compatible
		"64:ff9b::/96",    // NAT64: any IPv4 address behind it
		"64:ff9b:1::/48",  // local NAT64
		"2001::/23",       // protocol assignments, Teredo
		"2001:db8::/32",   // documentation
		"2002::/16",       // 6to4: any IPv4 address behind it
		"3fff::/20",       // documentation (RFC 9637)
		"fec0::/10",       // site-local, deprecated
		"ff00::/8",        // multicast
	)
}

// globalUnicast is all of IPv6 that is given out to networks (RFC 4291); what
// lies outside has no customer's endpoint, today's unassigned space included.
func globalUnicast() ranges { return parseRanges("2000::/3") }
