package config_test

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/config"
)

// TestVersionsOverlap: two constraints overlap where a version fulfills both.
func TestVersionsOverlap(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"~> 1.11", "~> 1.11.0", true},
		{"~> 1.11", "~> 1.6.0", false},
		{">= 1.9", "~> 1.6.0", false},
		{">= 1.9", "~> 1.9.0", true},
		{">= 1.9.5", "~> 1.9.0", true},
		{"> 1.9.0", "~> 1.9.0", true},
		{">= 1.6, < 2", "~> 1.8.0", true},
		{">= 1.6, < 2", "~> 2.0.0", false},
		{"< 1.6", "~> 1.5.0", true},
		{"< 1.6", "~> 1.6.0", false},
		{"<= 1.6", "~> 1.6.0", true},
		{"!= 1.6.0", "~> 1.6.0", true},
		{"!= 1.6.0", "= 1.6.0", false},
		{"= 1.6.3", "= 1.6.3", true},
		{"= 1.6.3", "= 1.6.4", false},
		{"1.6.3", "~> 1.6.0", true},
		{">= 1.6.0, <= 1.6.0", "~> 1.6.0", true},
		{"> 1.6.0, < 1.6.2", "~> 1.6.0", true},
		{"> 1.6.1, < 1.6.1", "~> 1.6.0", false},
		{"nonsense", "~> 1.6.0", false},
		{"~> 1.6.0", "", false},
	} {
		if got := config.VersionsOverlap(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v, want %v", c.a, c.b, got, c.want)
		}
		if got := config.VersionsOverlap(c.b, c.a); got != c.want {
			t.Errorf("%q and %q: %v, want %v", c.b, c.a, got, c.want)
		}
	}
}
