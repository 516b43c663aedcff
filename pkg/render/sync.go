package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
)

// maxSyncFindings is how many findings of one kind people are shown; --json has all of them.
const maxSyncFindings = 50

// SyncText is a run of sync for a terminal.
func SyncText(r sourcesync.Report) string {
	var out strings.Builder
	fmt.Fprintf(&out, "%s\n", syncHead(r))
	for _, s := range r.Sources {
		if s.Reason != "" {
			fmt.Fprintf(&out, "  ✗ %s (%s): nothing of it is used: %s\n", s.Name, s.Type, TerminalLine(s.Reason))
			continue
		}
		fmt.Fprintf(&out, "  ✓ %s (%s): %s\n", s.Name, s.Type, plural(s.Rows, "row"))
	}
	if changes := withoutSame(r); len(changes.Rows)+len(changes.Notes) > 0 {
		out.WriteString(Changes(changes))
	}
	for _, group := range findingsByKind(r) {
		for _, f := range group[:min(len(group), maxSyncFindings)] {
			fmt.Fprintf(&out, "  · %s: %s%s\n", f.Kind, TerminalLine(findingPlace(f)), TerminalLine(f.Message))
		}
		if more := len(group) - maxSyncFindings; more > 0 {
			fmt.Fprintf(&out, "  · %s: %d more; --json has all of them\n", group[0].Kind, more)
		}
	}
	return Terminal(out.String())
}

func syncHead(r sourcesync.Report) string {
	what := "changes"
	n := len(r.Rows) - r.Count(change.Same)
	if r.Applied {
		what, n = "written", r.Count(change.Written)
	}
	head := fmt.Sprintf("%s: %d %s, %d unchanged, %s", counted(r.Repositories, "repository", "repositories"), n, what, r.Unchanged, plural(len(r.Findings), "finding"))
	if failed := r.Count(change.Failed, change.Refused, change.Uncertain, change.Left); failed > 0 {
		head += fmt.Sprintf(", %d not written or not known to be", failed)
	}
	return head
}

func withoutSame(r sourcesync.Report) change.Report {
	changes := r.Report
	changes.Rows = slices.DeleteFunc(slices.Clone(r.Rows), func(row change.Result) bool { return row.Status == change.Same })
	return changes
}

// findingsByKind are the findings of each kind, in the order in which the kinds come first.
func findingsByKind(r sourcesync.Report) (groups [][]sourcesync.Finding) {
	at := map[sourcesync.Kind]int{}
	for _, f := range r.Findings {
		i, known := at[f.Kind]
		if !known {
			i = len(groups)
			at[f.Kind] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], f)
	}
	return groups
}

func findingPlace(f sourcesync.Finding) string {
	var parts []string
	for _, part := range []string{f.Source, f.Property, f.Repository} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return strings.Join(parts, ", ") + ": "
}

// Sync is a run of sync in Markdown, for the job summary.
func Sync(r sourcesync.Report) string {
	var out strings.Builder
	sign := "✅"
	switch {
	case r.Err() != nil:
		sign = "❌"
	case len(r.Findings) > 0:
		sign = "⚠️"
	}
	fmt.Fprintf(&out, "### %s %s\n\n", sign, syncHead(r))
	if len(r.Sources) > 0 {
		out.WriteString("| source | type | rows | |\n|---|---|---|---|\n")
		for _, s := range r.Sources {
			state := "complete"
			if s.Reason != "" {
				state = "nothing of it is used: " + sentenceOr(s.Reason)
			}
			out.WriteString(tableRow(code(s.Name), string(s.Type), fmt.Sprint(s.Rows), state))
		}
	}
	if rows := withoutSame(r).Rows; len(rows) > 0 {
		out.WriteString("\n| repository | property | old | new | status | reason |\n|---|---|---|---|---|---|\n")
		for _, row := range rows[:min(len(rows), maxComplianceRows)] {
			why := row.Reason
			if row.Message != "" {
				why += ": " + row.Message
			}
			out.WriteString(tableRow(code(row.Name), code(row.What), code(clip(string(row.Old), 120)), code(clip(string(row.New), 120)), string(row.Status), sentenceOr(why)))
		}
		if more := len(rows) - maxComplianceRows; more > 0 {
			fmt.Fprintf(&out, "\nand %d more; `metapipe sync --json` has all of them.\n", more)
		}
	}
	for _, group := range findingsByKind(r) {
		fmt.Fprintf(&out, "\n<details><summary>%s: %d</summary>\n\n| where | what |\n|---|---|\n", group[0].Kind, len(group))
		for _, f := range group[:min(len(group), maxSyncFindings)] {
			out.WriteString(tableRow(code(strings.TrimSuffix(findingPlace(f), ": ")), sentenceOr(f.Message)))
		}
		if more := len(group) - maxSyncFindings; more > 0 {
			fmt.Fprintf(&out, "\nand %d more.\n", more)
		}
		out.WriteString("\n</details>\n")
	}
	return out.String()
}
