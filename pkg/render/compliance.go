package render

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
)

// maxComplianceRows bounds a table in Markdown: a summary of GitHub takes 1 MiB, and no one reads more. The
// worst come first.
const maxComplianceRows = 300

// ComplianceText is a scan for a terminal: the findings that are worst first, and what is not known.
func ComplianceText(r compliance.Report) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", complianceHead(r))
	if len(r.Findings) > 0 {
		w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "  SEVERITY\tREPOSITORY\tRULE\tFINDING")
		for _, f := range r.Findings {
			fmt.Fprintf(w, "  %s\t%s\t%s\t%s → %s\n", f.Severity, TerminalLine(f.Repository.String()), f.Rule, TerminalLine(f.Message), TerminalLine(f.Remedy))
		}
		_ = w.Flush() // into memory
	}
	if n := len(r.Trend); n > 0 {
		before := r.Trend[n-1]
		sum := 0
		for _, count := range before.Findings {
			sum += count
		}
		fmt.Fprintf(&out, "  before, on %s: %s, score %.1f\n", before.Day, plural(sum, "finding"), before.Score)
	}
	for _, u := range r.Unknown {
		fmt.Fprintf(&out, "  ✗ not known: %s: %s\n", TerminalLine(UnknownName(u)), TerminalLine(u.Reason))
	}
	for _, e := range r.Exceptions {
		fmt.Fprintf(&out, "  · the exception of %s in %s: %s\n", TerminalLine(e.Owner), TerminalLine(e.Where.String()), TerminalLine(e.Message))
	}
	return Terminal(out.String())
}

// complianceHead says in one line how the fleet stands.
func complianceHead(r compliance.Report) string {
	head := fmt.Sprintf("%s of %s: %s", counted(r.Scanned, "repository", "repositories"), plural(len(r.Organizations), "organization"), complianceCounts(r))
	if len(r.Excepted) > 0 {
		head += fmt.Sprintf(", %d excepted", len(r.Excepted))
	}
	if len(r.Unknown) > 0 {
		head += fmt.Sprintf(", %d not known", len(r.Unknown))
	}
	if r.Scanned > 0 {
		head += fmt.Sprintf(", score %.1f of 10", r.Score)
	}
	return head
}

// complianceCounts counts the findings, and those of each severity.
func complianceCounts(r compliance.Report) string {
	var words []string
	for _, s := range compliance.Severities {
		if n := r.Count(s); n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, s))
		}
	}
	if len(words) == 0 {
		return plural(len(r.Findings), "finding")
	}
	return plural(len(r.Findings), "finding") + " (" + strings.Join(words, ", ") + ")"
}

// UnknownName names what could not be read.
func UnknownName(u compliance.Unknown) string {
	if u.RepositoryID == 0 && u.Repository.Name == "" {
		return u.What + " of " + u.Organization
	}
	return u.What + " of " + u.Repository.String()
}

// Compliance is a scan in Markdown, for the job summary.
func Compliance(r compliance.Report) string {
	var out strings.Builder
	sign := "✅"
	switch {
	case len(r.Unknown) > 0:
		sign = "❔"
	case len(r.Findings) > 0:
		sign = "⚠️"
	}
	fmt.Fprintf(&out, "### %s %s\n\n", sign, complianceHead(r))
	if len(r.Findings) > 0 {
		out.WriteString("| severity | repository | finding | what to do |\n|---|---|---|---|\n")
		for _, f := range r.Findings[:min(len(r.Findings), maxComplianceRows)] {
			out.WriteString(tableRow(string(f.Severity), code(f.Repository.String()), sentenceOr(f.Message)+" ("+code(string(f.Rule))+")", sentenceOr(f.Remedy)))
		}
		out.WriteString(left(len(r.Findings), "finding"))
	}
	if len(r.Unknown) > 0 {
		out.WriteString("\nNot known, so no one can say whether it complies:\n\n| what | why |\n|---|---|\n")
		for _, u := range r.Unknown[:min(len(r.Unknown), maxComplianceRows)] {
			out.WriteString(tableRow(code(UnknownName(u)), sentenceOr(u.Reason)))
		}
		out.WriteString(left(len(r.Unknown), "line"))
	}
	if len(r.Exceptions) > 0 {
		out.WriteString("\nExceptions:\n\n| where | owner | reason | |\n|---|---|---|---|\n")
		for _, e := range r.Exceptions[:min(len(r.Exceptions), maxComplianceRows)] {
			out.WriteString(tableRow(code(e.Where.String()), sentenceOr(e.Owner), sentenceOr(e.Reason), sentenceOr(e.Message)))
		}
		out.WriteString(left(len(r.Exceptions), "exception"))
	}
	if skipped := skippedWords(r.Skipped); skipped != "" {
		out.WriteString("\nNot compared: " + skipped + ".\n")
	}
	out.WriteString(complianceTrend(r))
	return out.String()
}

// left says how many rows are not shown.
func left(n int, what string) string {
	if n <= maxComplianceRows {
		return ""
	}
	return fmt.Sprintf("\nand %s more; `metapipe compliance --json` has all of them.\n", plural(n-maxComplianceRows, what))
}

// skippedWords counts what was not compared, by reason.
func skippedWords(skipped []compliance.Skipped) string {
	counts := map[string]int{}
	var reasons []string
	for _, s := range skipped {
		if counts[s.Reason]++; counts[s.Reason] == 1 {
			reasons = append(reasons, s.Reason)
		}
	}
	slices.Sort(reasons)
	for i, reason := range reasons {
		reasons[i] = fmt.Sprintf("%d %s", counts[reason], reason)
	}
	return strings.Join(reasons, ", ")
}
