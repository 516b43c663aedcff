package cli

import (
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestValidateForCustomer: a customer sees the manager's errors, not its warnings.
func TestValidateForCustomer(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]int{"": 2, "/checkout": 1} {
		v := &validation{o: validateOptions{customerDir: dir}}
		v.add(pipeline.Problem{Rule: "a", Warning: true}, pipeline.Problem{Rule: "b"})
		v.forCustomer()
		if got := v.result.Problems; len(got) != want || got[len(got)-1].Rule != "b" {
			t.Errorf("customer-dir %q: %v", dir, got)
		}
	}
}
