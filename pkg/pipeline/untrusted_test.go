package pipeline_test

import (
	"path"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

// TestUntrustedNames: what becomes part of a path, a key of the store, a status
// context or an address is refused unless it is made of plain characters, alone
// and around a good name.
func TestUntrustedNames(t *testing.T) {
	t.Parallel()
	parsers := map[string]func(string) (string, error){
		"customer":    func(s string) (string, error) { v, err := pipeline.ParseCustomerName(s); return string(v), err },
		"environment": func(s string) (string, error) { v, err := pipeline.ParseEnvironment(s); return string(v), err },
		"request":     func(s string) (string, error) { v, err := pipeline.ParseRequestID(s); return string(v), err },
		"commit":      func(s string) (string, error) { v, err := pipeline.ParseSHA(s); return string(v), err },
		"repository":  func(s string) (string, error) { v, err := pipeline.ParseSlug(s); return v.String(), err },
		"mode":        func(s string) (string, error) { v, err := pipeline.ParseMode(s); return string(v), err },
	}
	for _, s := range untrusted.Strings(t) {
		for _, text := range []string{s, "acme/" + s, s + "/acme", "acme" + s, s + "acme", "staging\n" + s} {
			for name, parse := range parsers {
				got, err := parse(text)
				if err != nil {
					continue
				}
				plain := strings.IndexFunc(got, func(r rune) bool {
					return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_./", r)
				}) < 0
				if !plain || path.Clean(got) != got || strings.HasPrefix(got, "-") || strings.HasPrefix(got, "/") || name != "repository" && strings.Contains(got, "/") {
					t.Errorf("%s: %q was read as %q", name, text, got)
				}
			}
		}
	}
}
