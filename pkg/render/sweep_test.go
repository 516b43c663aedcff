package render_test

import (
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
	"github.com/metapipe/metapipe/pkg/render"
)

// TestSweepNamesTargets: a finding of a stack names the stack, and one of a customer only
// the customer.
func TestSweepNamesTargets(t *testing.T) {
	t.Parallel()
	result := sweep.Result{Open: 3, Findings: []sweep.Finding{
		{Kind: sweep.FindingLock, Customer: "acme", Environment: "staging", Stack: "network", Message: "a lock"},
		{Kind: sweep.FindingLock, Customer: "acme", Environment: "staging", Message: "a lock"},
		{Kind: sweep.FindingUnreadable, Customer: "acme", Message: "not read"},
	}}
	lines, summary := render.SweepLines(result), render.Sweep(result)
	for _, want := range []string{"acme/staging/network lock: a lock", "acme/staging lock: a lock", "acme unreadable: not read"} {
		if !strings.Contains(lines, want) {
			t.Errorf("%q is not in:\n%s", want, lines)
		}
	}
	for _, want := range []string{"| `acme/staging/network` |", "| `acme/staging` |", "| `acme` |"} {
		if !strings.Contains(summary, want) {
			t.Errorf("%q is not in:\n%s", want, summary)
		}
	}
}
