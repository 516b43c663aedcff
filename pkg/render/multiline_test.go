package render

import (
	"fmt"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TestLinesInCommon: equal lines between two differences are no difference.
func TestLinesInCommon(t *testing.T) {
	t.Parallel()
	body := &hunk{limit: 60, width: 100}
	body.compare(strings.Split("a b c d e f g h i", " "), strings.Split("x a c d e f g h j", " "))
	want := "+   x\n    a\n-   b\n    c\n    d\n    …\n    g\n    h\n-   i\n+   j\n"
	if body.String() != want {
		t.Errorf("%s, want\n%s", body, want)
	}
}

// TestLinesFit: no number of differences takes more lines than there are, and each
// side that changes most is seen.
func TestLinesFit(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 5, 40, 500} {
		var before, after []string
		for i := range n {
			before = append(before, fmt.Sprint("same ", i), fmt.Sprint("old ", i))
			after = append(after, fmt.Sprint("same ", i), fmt.Sprint("new ", i), fmt.Sprint("more ", i))
		}
		body := &hunk{limit: 20, width: 100}
		body.compare(before, after)
		if !strings.Contains(body.String(), "old 0") || !strings.Contains(body.String(), "new 0") {
			t.Errorf("%d: a side is missing:\n%s", n, body)
		}
		if body.count > body.limit {
			t.Errorf("%d: %d lines", n, body.count)
		}
		if n > 40 && !strings.Contains(body.String(), "more") {
			t.Errorf("%d: nothing says that lines are missing", n)
		}
		if lines := strings.Count(body.String(), "\n"); lines > 2*body.limit {
			t.Errorf("%d: %d lines are written", n, lines)
		}
	}
}

// TestReceiptWords: the receipt is explained only where it can be used.
func TestReceiptWords(t *testing.T) {
	t.Parallel()
	for outcome, want := range map[pipeline.Outcome]bool{
		pipeline.OutcomeWaiting: true, pipeline.OutcomeApplying: true, pipeline.OutcomeApplied: false, pipeline.OutcomePlanned: false,
		pipeline.OutcomeCancelled: false, pipeline.OutcomeExpired: false, pipeline.OutcomeSuperseded: false,
	} {
		rep := pipeline.Report{Targets: []pipeline.TargetReport{{Outcome: outcome, ReceiptCode: "1234-5678"}}}
		if got := receiptWords(rep) != ""; got != want {
			t.Errorf("%s: %t", outcome, got)
		}
		rep.Request.Mode = pipeline.ModePlan
		if receiptWords(rep) != "" {
			t.Errorf("%s of a plan only: it is explained", outcome)
		}
	}
}
