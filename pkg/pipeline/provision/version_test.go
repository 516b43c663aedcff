package provision

import "testing"

// TestVersionRange: constraints of Terraform become ranges that allow the same versions.
func TestVersionRange(t *testing.T) {
	t.Parallel()
	for constraint, want := range map[string]string{
		"": "", " ": "", "1.5.7": "1.5.7", "= 1.5.7": "1.5.7", "v1.5": "1.5.0", "~> 1.5": ">=1.5.0 <2.0.0", "~> 1.5.3": ">=1.5.3 <1.6.0", "~>1": ">=1.0.0 <2.0.0",
		">= 1.6, < 2": ">=1.6.0 <2.0.0", "!= 1.5.1, > 1": "!=1.5.1 >1.0.0", "1.6.0-rc1": "1.6.0-rc1",
	} {
		if got, err := VersionRange(constraint); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", constraint, got, err, want)
		}
	}
	for _, constraint := range []string{"latest", "1.2.3.4", "^1.2", "1.x", ">", ","} {
		if got, err := VersionRange(constraint); err == nil {
			t.Errorf("%q: %q", constraint, got)
		}
	}
}
