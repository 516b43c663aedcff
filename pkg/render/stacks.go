package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/provision"
)

// Stacks is what `spacelift sync` prints: each stack with what changes, and the requests of a plan that is only shown.
func Stacks(r provision.Report) string {
	var out strings.Builder
	same := 0
	for _, row := range r.Rows {
		if row.Status == change.Same {
			same++
			continue
		}
		fmt.Fprintf(&out, "%s: %s, %s", TerminalLine(row.Name), provision.Verb(row.Row), row.Status)
		if row.Reason != "" {
			fmt.Fprintf(&out, " (%s)", TerminalLine(row.Reason))
		}
		out.WriteString("\n")
		for _, line := range provision.Differences(row.Row) {
			fmt.Fprintf(&out, "    %s\n", TerminalLine(clip(line, 300)))
		}
		if row.Message != "" {
			fmt.Fprintf(&out, "  %s %s\n", writeSign(row.Status), TerminalLine(row.Message))
		}
		for _, body := range r.Requests[row.Name] {
			fmt.Fprintf(&out, "    POST %s\n", TerminalLine(string(body)))
		}
	}
	if same > 0 {
		fmt.Fprintf(&out, "%d unchanged\n", same)
	}
	if len(r.Rows) == 0 {
		out.WriteString("nothing is to be written\n")
	}
	for _, f := range r.Findings {
		sign := "·"
		if f.Refused {
			sign = "✗"
		}
		about := f.Stack
		if about == "" {
			about = string(f.Customer)
		}
		fmt.Fprintf(&out, "%s %s: %s\n", sign, TerminalLine(about), TerminalLine(f.Message))
	}
	return Terminal(out.String())
}
