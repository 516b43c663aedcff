package render

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func joinWords(head, tail string) string {
	if tail == "" {
		return head
	}
	return head + ": " + tail
}

// wordsOf is planWords for a request, which may be one to destroy.
func wordsOf(rep pipeline.Report, p pipeline.Plan, when tense) string {
	if rep.Request.Mode == pipeline.ModeDestroy && !p.HasChanges() {
		return "nothing to destroy"
	}
	return planWords(p, when)
}

func appliedWords(rep pipeline.Report, t pipeline.TargetReport) string {
	if t.Plan != nil {
		return joinWords("Applied", wordsOf(rep, *t.Plan, past))
	}
	c, _ := doneCounts(t.Done)
	return joinWords("Applied", strings.Join(countWords(c, past), ", "))
}
