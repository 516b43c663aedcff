package render

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
)

// block is one table of a fleet; num/over is its share of what room is left.
type block struct {
	title, header string
	columns       int
	quiet         bool // folded
	num, over     int
	e             entries
}

// text is the block within room, and empty where there is nothing to report.
func (b block) text(room size) string {
	if b.e.n == 0 {
		return ""
	}
	title := fmt.Sprintf("%s (%d)", b.title, b.e.n)
	head := b.header + "\n" + strings.Repeat("|---", b.columns) + "|\n"
	b.e.more = func(shown int) string {
		return fmt.Sprintf("| and %d more that found no room here; `metapipe drift --json` has them all%s\n", b.e.n-shown, strings.Repeat(" |", b.columns))
	}
	frame := "### " + title + "\n\n" + head + "\n"
	if b.quiet {
		frame = folded(title, head)
	}
	rows := b.e.fit(room.minus(measure(frame))).join()
	if b.quiet {
		return folded(title, head+rows)
	}
	return "### " + title + "\n\n" + head + rows + "\n"
}

// blocks are the tables, in the order of reading.
func (f sortedScan) blocks(scan drift.Scan) []block {
	return []block{
		{title: signBad + " Lost states", header: "| target | applied last | what happened | what to do |", columns: 4, num: 1, over: 3, e: f.lostRows()},
		{title: signBad + " Errors", header: "| target | cause | what happened | what to do |", columns: 4, num: 1, over: 3, e: f.errors()},
		{title: signCare + " Several targets differ alike: look for one cause", header: "| what | targets | which |", columns: 3, num: 1, over: 4, e: alikeRows(scan)},
		{title: signCare + " What differs", header: "| target | kind | where | since | applied last | issue |", columns: 6, num: 1, over: 2, e: f.found()},
		{title: signBad + " Not checked", header: "| target |", columns: 1, num: 1, over: 3, e: lines(scan.Missing)},
		{title: "Issues in customers' repositories", header: "| target | issue | |", columns: 3, num: 1, over: 3, e: issueRows(scan.Issues)},
		{title: signCare + " Rules that have expired and hide nothing", header: "| rule |", columns: 1, num: 1, over: 3, e: lines(scan.ExpiredRules)},
		{title: signCare + " Rules that end within 14 days", header: "| rule |", columns: 1, num: 1, over: 3, e: lines(scan.EndingRules)},
		{title: "Slowest targets", header: "| target | took |", columns: 2, num: 1, over: 2, e: f.slowRows()},
		{title: "Ignored differences", header: "| target | what | reason |", columns: 3, quiet: true, num: 1, over: 2, e: f.ignoredRows()},
		{title: "Nothing to check", header: "| target | why |", columns: 2, quiet: true, num: 1, over: 2, e: f.skippedRows()},
		{title: "Clean", header: "| target | took |", columns: 2, quiet: true, num: 1, over: 1, e: tookRows(f.clean)},
	}
}

// tableRow joins encoded cells.
func tableRow(cells ...string) string {
	for i, c := range cells {
		cells[i] = cell(c)
	}
	return "| " + strings.Join(cells, " | ") + " |\n"
}

func (f sortedScan) errors() entries {
	row := func(i int, what, next string) string {
		r := f.failed[i]
		return tableRow(code(r.Target.String()), code(r.Failure.Cause), what, next)
	}
	return entries{
		n: len(f.failed),
		full: func(i int) string {
			return row(i, sentenceOr(f.failed[i].Failure.Message), plainText(f.failed[i].Failure.Next))
		},
		short: func(i int) string { return row(i, plainText(clip(f.failed[i].Failure.Message, 80)), "") },
	}
}

func (f sortedScan) lostRows() entries {
	row := func(i int, what, next string) string {
		r := f.lost[i]
		applied := "not on record"
		if r.Applied != nil {
			applied = lastApplied(*r.Applied)
		}
		return tableRow(code(r.Target.String()), applied, what, next)
	}
	return entries{
		n: len(f.lost),
		full: func(i int) string {
			return row(i, sentenceOr(f.lost[i].Failure.Message), plainText(f.lost[i].Failure.Next))
		},
		short: func(i int) string { return row(i, plainText(clip(f.lost[i].Failure.Message, 80)), "") },
	}
}

// addressLimit is how many resources are named in a row.
const addressLimit = 5

func (f sortedScan) found() entries {
	row := func(i int, limit int) string {
		r := f.differs[i]
		kinds := make([]string, len(r.Kinds))
		for k, kind := range r.Kinds {
			kinds[k] = string(kind)
		}
		applied := "never"
		if r.Applied != nil {
			applied = lastApplied(*r.Applied)
		}
		name := r.Target.String()
		issue := ""
		if shown, ok := f.issues[name]; ok && shown.Number > 0 {
			issue = link(fmt.Sprintf("issue %d", shown.Number), shown.URL)
		}
		return tableRow(code(name), strings.Join(kinds, ", "), addresses(r, limit), moment(r.FirstSeen), applied, issue)
	}
	return entries{n: len(f.differs), full: func(i int) string { return row(i, addressLimit) }, short: func(i int) string { return row(i, 1) }}
}

// addresses names what differs, the first few of it.
func addresses(r drift.Result, limit int) string {
	if r.Plan == nil {
		return plainText(clip(r.Message, 200))
	}
	var names []string
	for _, c := range slices.Concat(r.Plan.Drift, r.Plan.Changes) {
		if !slices.Contains(names, c.Address) {
			names = append(names, c.Address)
		}
		if len(names) > limit {
			break
		}
	}
	for _, v := range r.Plan.Invocations {
		if len(names) <= limit {
			names = append(names, v.Address)
		}
	}
	for _, o := range r.Plan.Outputs {
		if len(names) <= limit {
			names = append(names, "output."+o.Name)
		}
	}
	more := ""
	if len(names) > limit {
		names, more = names[:limit], " and more"
	}
	for i, name := range names {
		names[i] = code(clip(name, 120))
	}
	return strings.Join(names, ", ") + more
}

func lines(names []string) entries {
	return entries{n: len(names), short: func(i int) string { return tableRow(code(names[i])) }}
}

// issueRows are the issues about which there is something to report.
func issueRows(all []drift.TargetIssue) entries {
	all = slices.DeleteFunc(slices.Clone(all), func(i drift.TargetIssue) bool { return i.Action == issues.Unchanged })
	return entries{n: len(all), short: func(i int) string {
		shown := all[i]
		issue := ""
		if shown.Number > 0 {
			issue = link(fmt.Sprintf("issue %d", shown.Number), shown.URL)
		}
		did := string(shown.Action)
		switch shown.Action {
		case issues.Failed:
			did = signBad + " failed"
		case issues.Waiting:
			did = signWaiting + " waits for the next scan"
		}
		if shown.Reason != "" {
			did += ": " + plainText(shown.Reason)
		}
		return tableRow(code(shown.Target.String()), issue, did)
	}}
}

func (f sortedScan) slowRows() entries { return tookRows(f.slow) }

func tookRows(results []drift.Result) entries {
	return entries{n: len(results), short: func(i int) string {
		return tableRow(code(results[i].Target.String()), took(time.Duration(results[i].Duration)))
	}}
}

func (f sortedScan) ignoredRows() entries {
	return entries{n: len(f.ignored), short: func(i int) string {
		one := f.ignored[i]
		what := code(one.Address)
		if one.Attribute != "" {
			what += " " + code(one.Attribute)
		}
		return tableRow(code(one.target), what, plainText(one.Reason))
	}}
}

func (f sortedScan) skippedRows() entries {
	return entries{n: len(f.skipped), short: func(i int) string {
		return tableRow(code(f.skipped[i].Target.String()), plainText(f.skipped[i].Skipped))
	}}
}
