package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// unreportedParts is how many parts of one cause are named.
const unreportedParts = 5

// unreported names what GitHub refuses to take for ever, by cause. It is for the job
// summary: the customer's places are the ones that cannot be reached.
func unreported(to sink, all []pipeline.Unreported) string {
	if to != summarySink || len(all) == 0 {
		return ""
	}
	var causes []pipeline.RefusalCause
	parts := map[pipeline.RefusalCause][]string{}
	for _, u := range all {
		if len(parts[u.Cause]) == 0 {
			causes = append(causes, u.Cause)
		}
		parts[u.Cause] = append(parts[u.Cause], u.Part)
	}
	var b strings.Builder
	b.WriteString(signCare + " GitHub does not take a part of this report, and will not take it later. It does not change the plan or the apply.\n\n")
	for _, cause := range causes {
		fmt.Fprintf(&b, "- %s:", plainText(cause.String()))
		for i, part := range parts[cause] {
			if i == unreportedParts {
				fmt.Fprintf(&b, " and %d more", len(parts[cause])-i)
				break
			}
			b.WriteString(" " + code(clip(part, 200)))
		}
		b.WriteString("\n")
	}
	return b.String() + "\n"
}
