package egress

import "net/netip"

// Public reports whether addr is one that anybody's host may have: not this
// machine's, its networks', its cloud's metadata server's, or one that is kept
// for special use (the IANA registries of special-purpose addresses, for IPv4
// and IPv6). An IPv4 address inside an IPv6 one is looked at too.
func Public(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return !within(addr, special4())
	}
	if nat64().Contains(addr) {
		raw := addr.As16()
		return Public(netip.AddrFrom4([4]byte(raw[12:])))
	}
	return globalUnicast().Contains(addr) && !within(addr, special6())
}

func within(addr netip.Addr, prefixes []netip.Prefix) bool {
	for _, prefix := range prefixes {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

func special4() []netip.Prefix {
	return []netip.Prefix{
		prefix4(0, 0, 0, 0, 8),        // this network
		prefix4(10, 0, 0, 0, 8),       // private (RFC 1918)
		prefix4(100, 64, 0, 0, 10),    // carriers' shared space (RFC 6598)
		prefix4(127, 0, 0, 0, 8),      // loopback
		prefix4(168, 63, 129, 16, 32), // Azure's own server inside each machine's network
		prefix4(169, 254, 0, 0, 16),   // link-local, with the clouds' metadata servers
		prefix4(172, 16, 0, 0, 12),    // private (RFC 1918)
		prefix4(192, 0, 0, 0, 24),     // protocol assignments (RFC 6890)
		prefix4(192, 0, 2, 0, 24),     // documentation (RFC 5737)
		prefix4(192, 88, 99, 0, 24),   // 6to4 relays (RFC 7526)
		prefix4(192, 168, 0, 0, 16),   // private (RFC 1918)
		prefix4(198, 18, 0, 0, 15),    // benchmarks (RFC 2544)
		prefix4(198, 51, 100, 0, 24),  // documentation (RFC 5737)
		prefix4(203, 0, 113, 0, 24),   // documentation (RFC 5737)
		prefix4(224, 0, 0, 0, 4),      // multicast
		prefix4(240, 0, 0, 0, 4),      // reserved, and broadcast
	}
}

// globalUnicast is all that was ever given out of IPv6 (RFC 4291, 2.5.4):
// loopback, private, link-local, multicast and IPv4-compatible addresses, and
// fd00:ec2::254 among the private ones, lie outside.
func globalUnicast() netip.Prefix { return prefix6([8]uint16{0x2000}, 3) }

// nat64 is how a network with IPv6 only names an IPv4 address (RFC 6052).
func nat64() netip.Prefix { return prefix6([8]uint16{0x64, 0xff9b}, 96) }

func special6() []netip.Prefix {
	return []netip.Prefix{
		prefix6([8]uint16{0x2001}, 23),        // protocol assignments, Teredo among them (RFC 6890)
		prefix6([8]uint16{0x2001, 0xdb8}, 32), // documentation (RFC 3849)
		prefix6([8]uint16{0x2002}, 16),        // 6to4: an IPv4 address inside (RFC 7526)
		prefix6([8]uint16{0x3fff}, 20),        // documentation (RFC 9637)
		prefix6([8]uint16{0x5f00}, 16),        // segment routing (RFC 9602)
	}
}

func prefix4(a, b, c, d byte, bits int) netip.Prefix {
	return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, d}), bits)
}

func prefix6(groups [8]uint16, bits int) netip.Prefix {
	var raw [16]byte
	for i, group := range groups {
		raw[2*i], raw[2*i+1] = byte(group>>8), byte(group)
	}
	return netip.PrefixFrom(netip.AddrFrom16(raw), bits)
}
