package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
)

// maxIssueBytes leaves room below GitHub's limit of 65,536 characters for the marker.
const maxIssueBytes = 60_000

// ComplianceIssue is the issue of the manager about a scan. Equal findings give equal texts.
func ComplianceIssue(r compliance.Report) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s, in %s.\n\n", complianceCounts(r), counted(repositoriesIn(r.Findings), "repository", "repositories"))
	findingRows(&out, r.Findings, true)
	if len(r.Unknown) > 0 {
		fmt.Fprintf(&out, "\n%s could not be read, so more may not comply.\n", counted(len(r.Unknown), "thing", "things"))
	}
	for i, e := range r.Exceptions[:min(len(r.Exceptions), maxNotes)] {
		if i == 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "- The exception of %s in %s: %s.\n", sentenceOr(e.Owner), code(e.Where.String()), sentenceOr(e.Message))
	}
	out.WriteString("\nThe rules are in `" + compliance.File + "`. The label `compliance-snooze-YYYY-MM-DD` leaves this issue alone until the end of that day.\n")
	return out.String()
}

// maxNotes bounds the exceptions in an issue.
const maxNotes = 20

// ComplianceCustomerIssue is the issue of one customer about its own repository.
func ComplianceCustomerIssue(findings []compliance.Finding) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s about the custom properties of this repository. Owners of the organization change them under *Settings → Custom properties*.\n\n", counted(len(findings), "finding", "findings"))
	findingRows(&out, findings, false)
	out.WriteString("\nThis issue is closed when nothing is left.\n")
	return out.String()
}

// findingRows writes the findings that fit, the worst first.
func findingRows(out *strings.Builder, findings []compliance.Finding, withRepository bool) {
	head, line := "| severity | finding | what to do |\n", "|---|---|---|\n"
	if withRepository {
		head, line = "| severity | repository | finding | what to do |\n", "|---|---|---|---|\n"
	}
	out.WriteString(head + line)
	for i, f := range findings {
		cells := []string{string(f.Severity), sentenceOr(f.Message) + " (" + code(string(f.Rule)) + ")", sentenceOr(f.Remedy)}
		if withRepository {
			cells = append([]string{cells[0], code(f.Repository.String())}, cells[1:]...)
		}
		row := tableRow(cells...)
		if out.Len()+len(row) > maxIssueBytes {
			fmt.Fprintf(out, "\nand %s more; `metapipe compliance` has all of them.\n", plural(len(findings)-i, "finding"))
			return
		}
		out.WriteString(row)
	}
}

func repositoriesIn(findings []compliance.Finding) int {
	seen := map[int64]bool{}
	for _, f := range findings {
		seen[f.RepositoryID] = true
	}
	return len(seen)
}

// maxTrend is how many days the job summary shows.
const maxTrend = 14

// complianceTrend are the days before a scan, and the scan itself.
func complianceTrend(r compliance.Report) string {
	if len(r.Trend) == 0 {
		return ""
	}
	var out strings.Builder
	out.WriteString("\nThe last scan of each day:\n\n| day | repositories | critical | high | medium | low | not known | score |\n|---|---|---|---|---|---|---|---|\n")
	row := func(d compliance.Day) {
		fmt.Fprintf(&out, "| %s | %d | %d | %d | %d | %d | %d | %.1f |\n", d.Day, d.Repositories, d.Findings[compliance.Critical], d.Findings[compliance.High],
			d.Findings[compliance.Medium], d.Findings[compliance.Low], d.Unknown, d.Score)
	}
	for _, d := range r.Trend[max(0, len(r.Trend)-maxTrend):] {
		row(d)
	}
	row(r.Day())
	return out.String()
}
