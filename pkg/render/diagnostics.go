package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// found are the diagnostics of a target, each once; those with a line of the
// customer's file come first.
type found struct {
	errors, warnings []pipeline.Diagnostic
}

func problemsOf(t pipeline.TargetReport) found {
	all := t.Diagnostics
	if t.Plan != nil {
		all = append(slices.Clone(all), t.Plan.Diagnostics...)
	}
	var out found
	seen := map[pipeline.Diagnostic]bool{}
	for _, d := range all {
		switch {
		case seen[d]:
		case d.Warning:
			out.warnings = append(out.warnings, d)
		default:
			out.errors = append(out.errors, d)
		}
		seen[d] = true
	}
	bySource := func(a, b pipeline.Diagnostic) int {
		return cmp.Compare(unplaced(a), unplaced(b))
	}
	slices.SortStableFunc(out.errors, bySource)
	slices.SortStableFunc(out.warnings, bySource)
	return out
}

func unplaced(d pipeline.Diagnostic) int {
	if d.Source.File == "" {
		return 1
	}
	return 0
}

// diagnostics shows the errors of a target: the customer's line, what is wrong,
// what to do; what the tool said is folded.
func (s scribe) diagnostics(d draft, room size) string {
	all := problemsOf(d.t).errors
	return s.list(signBad+" "+plural(len(all), "error"), entries{
		n:     len(all),
		full:  func(i int) string { return s.diagnostic(all[i]) },
		short: func(i int) string { return "- " + s.diagnosticLine(all[i]) + "\n" },
		more: func(shown int) string {
			return fmt.Sprintf("- and %s more; %s\n", plural(len(all)-shown, "error"), s.elsewhere(d.t))
		},
	}, room)
}

func (s scribe) warnings(all []pipeline.Diagnostic) entries {
	return entries{
		n:     len(all),
		full:  func(i int) string { return s.diagnostic(all[i]) },
		short: func(i int) string { return "- " + s.diagnosticLine(all[i]) + "\n" },
	}
}

// diagnosticLine is the place, the summary and the remedy on one line.
func (s scribe) diagnosticLine(d pipeline.Diagnostic) string {
	line := sentenceOr(d.Summary)
	switch {
	case d.Source.File != "" && d.Exact:
		line = s.place(d.Source) + ": " + line
	case d.Source.File != "":
		line = "near " + s.place(d.Source) + ": " + line
	case d.Address != "":
		line = code(d.Address) + ": " + line
	}
	remedy := d.Remedy
	if d.Operator != "" && s.sink.ofOperator() {
		remedy = d.Operator
	}
	if remedy = plainText(remedy); remedy != "" {
		line += " → " + remedy
	}
	return line
}

// diagnostic is that line, and what the tool said, folded. Code of the manager stands
// only where the operator reads.
func (s scribe) diagnostic(d pipeline.Diagnostic) string {
	var body strings.Builder
	if d.Code != "" && s.sink.ofOperator() {
		body.WriteString(indented(tidy(d.Code, toEscapes, s.value)) + "\n")
	}
	if d.Detail != "" {
		body.WriteString(indented(tidy(d.Detail, kept, detailLimit)))
	}
	if body.Len() == 0 {
		return "- " + s.diagnosticLine(d) + "\n"
	}
	summary := "What the tool said"
	if d.Where.File != "" {
		summary += " at " + htmlCode(d.Where.String())
	}
	if d.Address != "" && d.Source.File != "" {
		summary += " about " + htmlCode(d.Address)
	}
	return "- " + s.diagnosticLine(d) + "\n\n" + folded(summary, fence("text", body.String()))
}

// indented ends every line with \n and keeps the last one from being empty.
func indented(s string) string { return strings.TrimRight(s, "\n") + "\n" }

// place is a position as code; in the customer's own file it is a link to that
// line at the commit.
func (s scribe) place(p pipeline.Position) string {
	label := code(lineOnly(p))
	if p.File == "" || p.File != s.req.File {
		return label
	}
	return link(label, lineURL(s.req, p.Line))
}
