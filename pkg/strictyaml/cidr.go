package strictyaml

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v5"
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
type cidrError struct {
	what   string
	advice string      // in place of networks
	lead   string      // before the networks
	write  []cidrOffer // networks that the author may have meant
}

// cidrOffer is a network, and a format with %q for its part of the remedy.
type cidrOffer struct{ words, network string }

func (e *cidrError) Error() string {
	return e.what + ": " + e.remedy(func(string) bool { return true })
}

// remedy names those networks that the schema accepts, and else some others.
func (e *cidrError) remedy(accepted func(string) bool) string {
	if e.advice != "" {
		return e.advice
	}
	var words []string
	for _, o := range e.write {
		if accepted(o.network) {
			words = append(words, fmt.Sprintf(o.words, o.network))
		}
	}
	if len(words) > 0 {
		if e.lead != "" {
			return e.lead + strings.Join(words, ", ")
		}
		return strings.Join(words, ", or ")
	}
	for _, network := range []string{"10.0.0.0/16", "10.0.0.0/24", "172.16.0.0/16", "192.168.0.0/16", "192.168.1.0/24", "100.64.0.0/16", "fd00:1::/48", "fd00:1::/64"} {
		if accepted(network) && len(words) < 2 {
			words = append(words, fmt.Sprintf("%q", network))
		}
	}
	remedy := "write an address and the length of its prefix"
	if len(words) > 0 {
		remedy += ", such as " + strings.Join(words, " or ")
	}
	return remedy
}

func registerFormats(c *jsonschema.Compiler) {
	for _, name := range []string{formatCIDR, formatAnyCIDR} {
		c.Formats[name] = func(v any) bool {
			s, ok := v.(string) // another keyword checks the type
			return !ok || checkCIDR(s, name == formatCIDR) == nil
		}
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
		offers := []cidrOffer{{"write %q for the whole network", network.String()}}
		if !private {
			offers = append(offers, cidrOffer{"%q for this address alone", netip.PrefixFrom(prefix.Addr(), prefix.Addr().BitLen()).String()})
		}
		return &cidrError{what: fmt.Sprintf("has host bits set: it is an address inside of a network of %d bits", prefix.Bits()), write: offers}
	case private && !isPrivate(network):
		return &cidrError{what: notPrivate, lead: privateLead, write: privateOffers(network)}
	}
	return nil
}

const (
	notPrivate  = "is not a private network"
	privateLead = "use a private network, such as "
)

// lacksLength is about an address without a prefix. Only the author knows the
// size of the network, so the remedy gives an example and never one address
// where a network is wanted.
func lacksLength(addr netip.Addr, private bool) error {
	network := likelyNetwork(addr)
	if private && !isPrivate(network) {
		return &cidrError{what: "lacks the length of its prefix and " + notPrivate, lead: privateLead, write: privateOffers(network)}
	}
	offers := []cidrOffer{{"add the length of the prefix behind the address, for example %q for a network of " + strconv.Itoa(network.Bits()) + " bits", network.String()}}
	if whole := netip.PrefixFrom(addr, addr.BitLen()); !private && network.Addr() != addr {
		offers = append(offers, cidrOffer{"%q for this address alone", whole.String()})
	}
	return &cidrError{what: "lacks the length of its prefix", write: offers}
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
			return &cidrError{what: fmt.Sprintf("has the number %s above 255 in its address", number), advice: "write numbers from 0 to 255"}
		case len(number) > 1 && number[0] == '0':
			return &cidrError{what: fmt.Sprintf("has the number %s with a leading zero in its address", number), advice: fmt.Sprintf("write %d", n)}
		}
	}
	if _, err := netip.ParseAddr(address); err != nil || !slash {
		return &cidrError{what: "is no network in CIDR notation"}
	}
	bits, err := strconv.ParseUint(length, 10, 32)
	if network, ok := maskedNetwork(address, length); ok {
		return &cidrError{what: "has a mask in place of the length of its prefix", write: []cidrOffer{{"write %q", network.String()}}}
	}
	switch {
	case length == "":
		return &cidrError{what: "lacks the length of its prefix behind the slash"}
	case err == nil && bits > uint64(most):
		return &cidrError{what: fmt.Sprintf("has a prefix of %d bits, above %d", bits, most), advice: fmt.Sprintf("write a length from 0 to %d", most)}
	}
	return &cidrError{what: "is no network in CIDR notation"}
}

func isPrivate(network netip.Prefix) bool {
	for _, p := range privateNetworks {
		if p.Contains(network.Addr()) && network.Bits() >= p.Bits() {
			return true
		}
	}
	return false
}

// privateOffers are private networks of the size of another one.
func privateOffers(network netip.Prefix) []cidrOffer {
	addresses := []string{"fd00:1::"}
	if network.Addr().Is4() {
		addresses = []string{"10.0.0.0", "172.16.0.0", "192.168.0.0"}
	}
	var offers []cidrOffer
	for _, address := range addresses {
		p := netip.PrefixFrom(netip.MustParseAddr(address), network.Bits()).Masked()
		if isPrivate(p) {
			offers = append(offers, cidrOffer{"%q", p.String()})
		}
	}
	return offers
}

// maskedNetwork turns a network with a mask, such as 10.0.0.0/255.255.0.0, into one with
// the length of its prefix.
func maskedNetwork(address, mask string) (netip.Prefix, bool) {
	addr, err := netip.ParseAddr(address)
	if err != nil || !addr.Is4() {
		return netip.Prefix{}, false
	}
	m, err := netip.ParseAddr(mask)
	if err != nil || !m.Is4() {
		return netip.Prefix{}, false
	}
	bytes := m.As4()
	bits, size := net.IPMask(bytes[:]).Size()
	return netip.PrefixFrom(addr, bits).Masked(), size == 32
}
