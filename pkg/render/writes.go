package render

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
)

// Changes is a plan of writes for a terminal: a line for each value, what became of it where the
// plan was applied, and why something was not written.
func Changes(r change.Report) string {
	var out strings.Builder
	if len(r.Rows) == 0 {
		out.WriteString("nothing is to be written\n")
	} else {
		w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, strings.Join([]string{"WHERE", "WHAT", "OLD", "NEW", "STATUS", "REASON"}, "\t"))
		for _, row := range r.Rows {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", TerminalLine(row.Name), TerminalLine(row.What), writtenValue(row.Old), writtenValue(row.New), row.Status, dash(row.Reason))
		}
		_ = w.Flush() // into memory
	}
	for _, row := range r.Rows {
		if row.Message != "" {
			fmt.Fprintf(&out, "%s %s: %s\n", writeSign(row.Status), TerminalLine(row.String()), TerminalLine(row.Message))
		}
		if len(row.Customers) > 1 {
			fmt.Fprintf(&out, "· %s is the repository of %d customers: %s\n", TerminalLine(row.Name), len(row.Customers), pipeline.JoinNames(row.Customers))
		}
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&out, "· %s\n", TerminalLine(note))
	}
	return Terminal(out.String())
}

func writeSign(s change.Status) string {
	switch s {
	case change.Failed, change.Refused, change.Uncertain, change.Left:
		return "✗"
	}
	return "·"
}

// writtenValue is a JSON value in a column.
func writtenValue(raw []byte) string {
	if string(raw) == "null" {
		return "-"
	}
	return TerminalLine(clip(string(raw), 120))
}
