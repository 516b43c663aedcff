package pipeline_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func TestNames(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0a", 20)
	uuid := "00000000-0000-4000-8000-00000000000f"
	for _, c := range []struct {
		kind      string
		ok        func(string) bool
		good, bad []string
	}{
		{"customer", accepts(pipeline.ParseCustomerName), []string{"a", "a-b", "0", strings.Repeat("x", 63)}, []string{"", "-a", "a-", "A", "_a", "a/b", "a.b", "..", "ä", "a\n", strings.Repeat("x", 64)}},
		{"environment", accepts(pipeline.ParseEnvironment), []string{"staging", "eu-1"}, []string{"", "Staging", "a b", "a_b", strings.Repeat("x", 41)}},
		{"commit", accepts(pipeline.ParseSHA), []string{hex}, []string{"", hex[1:], hex + "0", strings.ToUpper(hex), strings.Repeat("g", 40)}},
		{"request", accepts(pipeline.ParseRequestID), []string{uuid, string(pipeline.NewRequestID()), string(pipeline.DeriveRequestID("a"))}, []string{"", uuid[1:], strings.ToUpper(uuid), strings.ReplaceAll(uuid, "-", ""), uuid + "\n"}},
		{"repository", accepts(pipeline.ParseSlug), []string{"a/b", "A-b/c.d_e-f", "a_b/.github"}, []string{"", "a", "/b", "a/", "a/b/c", "-a/b", "a/..", "a/.", "a b/c", "a/b\n", "a/" + strings.Repeat("x", 101)}},
	} {
		for _, s := range c.good {
			if !c.ok(s) {
				t.Errorf("%s %q was refused", c.kind, s)
			}
		}
		for _, s := range c.bad {
			if c.ok(s) {
				t.Errorf("%s %q was accepted", c.kind, s)
			}
		}
	}
}

func accepts[T any](parse func(string) (T, error)) func(string) bool {
	return func(s string) bool {
		_, err := parse(s)
		return err == nil
	}
}
