package strictyaml

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Formats of ours for JSON Schema: "cidr" is a private network (RFC 1918, RFC
// 6598, RFC 4193) without host bits, "any-cidr" also a public one.
const (
	formatCIDR    = "cidr"
	formatAnyCIDR = "any-cidr"
)

var privateNetworks = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("100.64.0.0/10"), netip.MustParsePrefix("fc00::/7"),
}

// cidrError says what is wrong with a network and what to write.
type cidrError struct{ what, remedy string }

func (e *cidrError) Error() string { return e.what + ": " + e.remedy }

func registerFormats(c *jsonschema.Compiler) {
	for name, private := range map[string]bool{formatCIDR: true, formatAnyCIDR: false} {
		c.RegisterFormat(&jsonschema.Format{Name: name, Validate: func(v any) error {
			s, ok := v.(string)
			if !ok {
				return nil // another keyword checks the type
			}
			return checkCIDR(s, private)
		}})
	}
}

func checkCIDR(s string, private bool) error {
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" && !addr.Is4In6() {
		return lacksLength(addr, private)
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil || prefix.Addr().Is4In6() {
		return noNetwork(s)
	}
	network := prefix.Masked()
	switch {
	case network != prefix:
		remedy := fmt.Sprintf("write %q for the whole network", network)
		if !private {
			remedy += fmt.Sprintf(", or %q for this address alone", netip.PrefixFrom(prefix.Addr(), prefix.Addr().BitLen()))
		}
		return &cidrError{fmt.Sprintf("has host bits set: it is an address inside of a network of %d bits", prefix.Bits()), remedy}
	case private && !isPrivate(network):
		return &cidrError{notPrivate, "use one inside of " + privateNames(network.Addr().Is4())}
	}
	return nil
}

const notPrivate = "is not a private network"

// lacksLength is about an address without a prefix. Only the author knows the
// size of the network, so the remedy gives an example and never one address
// where a network is wanted.
func lacksLength(addr netip.Addr, private bool) error {
	network := likelyNetwork(addr)
	if private && !isPrivate(network) {
		return &cidrError{"lacks the length of its prefix and " + notPrivate, "use a network inside of " + privateNames(addr.Is4())}
	}
	remedy := fmt.Sprintf("add the length of the prefix behind the address, for example %q for a network of %d bits", network, network.Bits())
	if whole := netip.PrefixFrom(addr, addr.BitLen()); !private && network.Addr() != addr {
		remedy += fmt.Sprintf(", or %q for this address alone", whole)
	}
	return &cidrError{"lacks the length of its prefix", remedy}
}

// likelyNetwork is the largest usual network that begins at addr, or else the
// smallest usual one that holds it.
func likelyNetwork(addr netip.Addr) netip.Prefix {
	usual := []int{16, 24}
	if addr.Is6() {
		usual = []int{48, 64}
	}
	var network netip.Prefix
	for _, bits := range usual {
		if network = netip.PrefixFrom(addr, bits).Masked(); network.Addr() == addr {
			break
		}
	}
	return network
}

// noNetwork names the part of s that keeps it from being a network.
func noNetwork(s string) error {
	const form = `write an address and the length of its prefix, such as "10.0.0.0/16" or "fd00:1::/48"`
	address, length, slash := strings.Cut(s, "/")
	most := 32
	if strings.Contains(address, ":") {
		most = 128
	}
	numbers := strings.Split(address, ".")
	for _, number := range numbers {
		n, err := strconv.ParseUint(number, 10, 32)
		switch {
		case len(numbers) != 4 || err != nil:
		case n > 255:
			return &cidrError{fmt.Sprintf("has the number %s above 255 in its address", number), "write numbers from 0 to 255"}
		case len(number) > 1 && number[0] == '0':
			return &cidrError{fmt.Sprintf("has the number %s with a leading zero in its address", number), fmt.Sprintf("write %d", n)}
		}
	}
	if _, err := netip.ParseAddr(address); err != nil || !slash {
		return &cidrError{"is no network in CIDR notation", form}
	}
	bits, err := strconv.ParseUint(length, 10, 32)
	switch {
	case length == "":
		return &cidrError{"lacks the length of its prefix behind the slash", form}
	case err == nil && bits > uint64(most):
		return &cidrError{fmt.Sprintf("has a prefix of %d bits, above %d", bits, most), fmt.Sprintf("write a length from 0 to %d", most)}
	}
	return &cidrError{"is no network in CIDR notation", form}
}

func isPrivate(network netip.Prefix) bool {
	for _, p := range privateNetworks {
		if p.Contains(network.Addr()) && network.Bits() >= p.Bits() {
			return true
		}
	}
	return false
}

func privateNames(four bool) string {
	var names []string
	for _, p := range privateNetworks {
		if p.Addr().Is4() == four {
			names = append(names, p.String())
		}
	}
	return strings.Join(names, ", ")
}

// cidrProblem returns the words for a network that failed, and false for other formats.
func cidrProblem(err error) (what, remedy string, ok bool) {
	var e *cidrError
	if !errors.As(err, &e) {
		return "", "", false
	}
	return e.what, e.remedy, true
}
