package config

import (
	"net"
	"net/netip"
	"net/url"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// defaults are the values that a backend takes for a locating argument that is left out.
var defaults = map[string]map[string]string{
	"cos":        {"key": "terraform.tfstate"},
	"kubernetes": {"namespace": "default"},
	"oss":        {"prefix": "env:", "key": "terraform.tfstate"},
	"pg":         {"schema_name": "terraform_remote_state"},
}

// place is a backend in a form in which equal places are equal texts, however they are
// written. Only what locates a state counts: a lock, a region or an account keeps no two
// states apart. Letters count in either case, since some services do not distinguish them.
func place(b pipeline.Backend) string {
	arguments, known := locating[b.Type]
	if !known {
		var all []string
		for name, value := range b.Config {
			all = append(all, name+"="+address(value))
		}
		slices.Sort(all)
		return strings.ToLower(b.Type + "\x00" + strings.Join(all, "\x00"))
	}
	values := make([]string, len(arguments))
	for i, name := range arguments {
		values[i] = b.Config[name]
		if values[i] == "" {
			values[i] = defaults[b.Type][name]
		}
	}
	return strings.ToLower(b.Type + "\x00" + strings.Join(cleaned(b.Type, values), "\x00"))
}

// cleaned brings the values of the locating arguments into one form, by what the
// backend itself does with them.
func cleaned(kind string, values []string) []string {
	const mostOfAnIdentifier = 63 // bytes; PostgreSQL cuts the rest off
	switch kind {
	case pipeline.BackendLocal:
		return []string{filepath.Clean(values[0])}
	case "http":
		return []string{address(values[0])}
	case "cos", "oss": // they join the prefix and the key
		return []string{values[0], object(path.Join(values[1], values[2]))}
	case "pg":
		return []string{values[0][:min(len(values[0]), mostOfAnIdentifier)]}
	case "kubernetes":
		return values
	}
	last := len(values) - 1 // the key, prefix or path
	return append(slices.Clone(values[:last]), object(values[last]))
}

func object(key string) string { return strings.TrimPrefix(path.Clean("/"+key), "/") }

// address is a URL without the scheme, user, default port, fragment, needless slashes and
// escapes, with its parameters in order. Another text becomes a clean path.
func address(s string) string {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" {
		return object(decoded(s))
	}
	host := strings.TrimSuffix(strings.ToLower(decoded(u.Hostname())), ".")
	if ip, err := netip.ParseAddr(host); err == nil {
		host = ip.Unmap().String()
	}
	port := strings.TrimLeft(u.Port(), "0")
	if port == "" || port == map[string]string{"http": "80", "https": "443"}[strings.ToLower(u.Scheme)] {
		port = "default"
	}
	parameters := strings.FieldsFunc(u.RawQuery, func(r rune) bool { return r == '&' || r == ';' })
	for i, p := range parameters {
		parameters[i] = strings.TrimSuffix(decoded(strings.ReplaceAll(p, "+", " ")), "=")
	}
	slices.Sort(parameters)
	return net.JoinHostPort(host, port) + "/" + object(decoded(u.EscapedPath())) + "?" + strings.Join(slices.Compact(parameters), "&")
}

// decoded resolves percent escapes, also escaped ones: a proxy and the server behind it
// may resolve one layer each.
func decoded(s string) string {
	for range 4 {
		plain, err := url.PathUnescape(s)
		if err != nil || plain == s {
			return s
		}
		s = plain
	}
	return s
}
