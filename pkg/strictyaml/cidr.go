package strictyaml

import (
	"errors"
	"fmt"
	"net/netip"
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
	if addr, err := netip.ParseAddr(s); err == nil && addr.Zone() == "" {
		return &cidrError{"lacks the length of its prefix", fmt.Sprintf("write the network, such as %q", s+lengthFor(addr))}
	}
	prefix, err := netip.ParsePrefix(s)
	if err != nil || prefix.Addr().Is4In6() {
		return &cidrError{"is no network in CIDR notation", `write an address and the length of its prefix, such as "10.0.0.0/16" or "fd00:1::/48"`}
	}
	network := prefix.Masked()
	switch {
	case network != prefix:
		return &cidrError{fmt.Sprintf("has host bits set: it is an address inside of a network of %d bits", prefix.Bits()),
			fmt.Sprintf("write %q for the whole network, or %q for this address alone", network, netip.PrefixFrom(prefix.Addr(), prefix.Addr().BitLen()))}
	case private && !isPrivate(network):
		return &cidrError{"is not a private network", "use one inside of " + privateNames(network.Addr().Is4())}
	}
	return nil
}

func lengthFor(addr netip.Addr) string { return fmt.Sprintf("/%d", addr.BitLen()) }

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
