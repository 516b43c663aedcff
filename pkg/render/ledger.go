package render

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// Ledger is a ledger for a terminal: a line that says how it stands, its entries
// as a table, and what is wrong with it.
func Ledger(r ledger.AuditReport) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s: %s\n", r.Name(), ledgerStatus(r))
	if len(r.Entries) > 0 {
		w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  #\tTIME\tEVENT\tREQUEST\tWHO\tRECEIPT\tRESULT\tRUN")
		for _, e := range r.Entries {
			fmt.Fprintf(w, "  %d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", e.Sequence, e.At.UTC().Format(time.RFC3339), e.Event, dash(e.Request.Short()),
				dash(e.Actor), dash(pipeline.ReceiptCode(e.Receipt)), dash(ledgerResult(e)), dash(e.Run.URL))
		}
		_ = w.Flush() // into memory
	}
	for _, f := range r.Findings {
		fmt.Fprintf(&out, "  ✗ %s\n", TerminalLine(fmt.Sprint(f)))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&out, "  · %s\n", TerminalLine(n))
	}
	return Terminal(out.String())
}

func ledgerStatus(r ledger.AuditReport) string {
	entries := counted(len(r.Entries), "entry", "entries")
	switch {
	case len(r.Findings) > 0:
		return fmt.Sprintf("%s, %s", entries, counted(len(r.Findings), "finding", "findings"))
	case len(r.Entries) == 0:
		return "no entries"
	case r.Deployments+r.Receipts > 0:
		return fmt.Sprintf("%s, whole; fits %s and %s on GitHub", entries, counted(r.Deployments, "deployment", "deployments"), counted(r.Receipts, "receipt", "receipts"))
	}
	return entries + ", whole"
}

func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// ledgerResult says what the name of the event does not.
func ledgerResult(e ledger.Entry) string {
	same := e.Outcome == "" || string(e.Outcome) == string(e.Event)
	switch {
	case e.Change != nil:
		return clip(e.Message, 200) // with both values
	case e.Reason != "" && (same || string(e.Reason) == string(e.Outcome)):
		return string(e.Reason)
	case e.Reason != "":
		return fmt.Sprintf("%s: %s", e.Outcome, e.Reason)
	case same:
		return clip(e.Message, 60)
	}
	return string(e.Outcome)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return TerminalLine(s)
}
