package pipeline_test

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestNamesAreReadBack: what Name writes is read as the same target, and nothing else is
// read: the names stand at the ends of statuses, which customers can write.
func TestNamesAreReadBack(t *testing.T) {
	t.Parallel()
	for _, target := range labeledTargets() {
		if got, err := target.Customer.ParseName(target.Name()); err != nil || got != target {
			t.Fatalf("%s is read back as %s, %v", target, got, err)
		}
	}
	for _, name := range []string{"", "/", "a/", "/a", "a/b/c", "a//b", "a.b", "a/b.c", "a.b/c", "../a", "A/b", "a/B", "a b", "a/b\n", "a/é"} {
		if got, err := pipeline.CustomerName("acme").ParseName(name); err == nil {
			t.Errorf("%q is read as %s", name, got)
		}
	}
}
