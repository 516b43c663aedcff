package render

import (
	"cmp"
	_ "embed" // the schema
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

//go:embed schema/drift.schema.json
var driftSchema []byte

// DriftSchema is the JSON Schema (draft 2020-12) of what DriftJSON writes.
func DriftSchema() []byte { return slices.Clone(driftSchema) }

// DriftJSON writes a scan as one indented JSON object, as schema/drift.schema.json
// describes it: results, missing targets and issues are in the order of their
// names. Invisible and control characters are written as \u escapes.
func DriftJSON(w io.Writer, scan drift.Scan) error {
	if scan.Results == nil {
		scan.Results = []drift.Result{}
	}
	return writeJSON(w, "scan "+scan.ID, scan)
}

// slowest is how many of the slowest targets are named.
const slowest = 10

// Drift returns the job summary of a scan, for the manager. It has everything of a
// fleet of a thousand targets; what finds no room is counted.
func (r Renderer) Drift(scan drift.Scan) string {
	f := sortScan(scan)
	bytes := roomOr(r.SummaryBytes, DefaultSummaryBytes)
	room := size{chars: bytes, bytes: bytes}
	top := f.head(scan)
	room = room.minus(measure(top))
	var out strings.Builder
	out.WriteString(top)
	for _, b := range f.blocks(scan) {
		text := b.text(room.part(b.num, b.over))
		room = room.minus(measure(text))
		out.WriteString(text)
	}
	return out.String()
}

// sortedScan is a scan, sorted by what its reader has to do.
type sortedScan struct {
	lost, failed, differs, skipped, clean []drift.Result
	slow                                  []drift.Result
	ignored                               []driftIgnored
	issues                                map[string]drift.TargetIssue
	kinds                                 map[pipeline.DriftKind]int
}

type driftIgnored struct {
	target string
	drift.IgnoredDrift
}

func sortScan(scan drift.Scan) sortedScan {
	f := sortedScan{issues: map[string]drift.TargetIssue{}, kinds: map[pipeline.DriftKind]int{}}
	for _, r := range scan.Results {
		switch {
		case slices.Contains(r.Kinds, pipeline.DriftLost) && r.Failure != nil:
			f.lost = append(f.lost, r)
		case r.Failure != nil:
			f.failed = append(f.failed, r)
		case !r.Clean():
			f.differs = append(f.differs, r)
		case r.Skipped != "":
			f.skipped = append(f.skipped, r)
		default:
			f.clean = append(f.clean, r)
		}
		for _, kind := range r.Kinds {
			f.kinds[kind]++
		}
		for _, i := range r.Ignored {
			f.ignored = append(f.ignored, driftIgnored{r.Target.String(), i})
		}
	}
	for _, i := range scan.Issues {
		f.issues[i.Target.String()] = i
	}
	f.slow = slices.Clone(scan.Results)
	slices.SortStableFunc(f.slow, func(a, b drift.Result) int { return cmp.Compare(b.Duration, a.Duration) })
	f.slow = f.slow[:min(len(f.slow), slowest)]
	return f
}

// head is the answer in a sentence, and how it was before.
func (f sortedScan) head(scan drift.Scan) string {
	total := len(scan.Results) + len(scan.Missing)
	sign, words := signGood, "nothing differs"
	if total == 0 {
		sign, words = signCare, "there was no target to look at"
	}
	var found []string
	if n := len(f.lost); n > 0 {
		sign, found = signBad, append(found, "the state of "+plural(n, "target")+" is lost")
	}
	if n := len(f.differs); n > 0 {
		if sign == signGood {
			sign = signCare
		}
		found = append(found, fmt.Sprintf("%d of %s differ", n, plural(total, "target")))
	}
	if n := len(f.failed) + len(scan.Missing); n > 0 {
		sign, found = signBad, append(found, fmt.Sprintf("nothing is known about %d of %d", n, total))
	}
	if len(found) > 0 {
		words = strings.Join(found, ", ")
	}
	var out strings.Builder
	fmt.Fprintf(&out, "## %s Drift: %s\n\n", sign, words)
	parts := []string{"Scan " + code(scan.ID), "begun " + moment(scan.StartedAt), "took " + took(scan.EndedAt.Sub(scan.StartedAt))}
	if scan.ManagerCommit != "" {
		parts = append(parts, "manager's commit "+code(scan.ManagerCommit.Short()))
	}
	out.WriteString(strings.Join(parts, " · ") + "\n\n")
	b := scan.Before
	if b != nil {
		fmt.Fprintf(&out, "| | now | %s | |\n|---|--:|--:|--:|\n", moment(b.At))
	} else {
		out.WriteString("| | now |\n|---|--:|\n")
	}
	row := func(name string, now, before int) {
		if b == nil {
			fmt.Fprintf(&out, "| %s | %d |\n", name, now)
			return
		}
		trend := ""
		if now != before {
			trend = fmt.Sprintf("%+d", now-before)
		}
		fmt.Fprintf(&out, "| %s | %d | %d | %s |\n", name, now, before, trend)
	}
	var before scans.Trend
	if b != nil {
		before = *b
	}
	row("Targets", total, before.Targets)
	row("Clean", len(f.clean)+len(f.skipped), before.Clean)
	for _, kind := range []pipeline.DriftKind{pipeline.DriftReal, pipeline.DriftPending, pipeline.DriftManager, pipeline.DriftAbandoned, pipeline.DriftLost, pipeline.DriftError} {
		if (kind == pipeline.DriftLost || kind == pipeline.DriftAbandoned) && f.kinds[kind]+before.Kinds[string(kind)] == 0 {
			continue // it is rare
		}
		row(kindTitle(kind), f.kinds[kind], before.Kinds[string(kind)])
	}
	if n := len(scan.Missing); n > 0 {
		fmt.Fprintf(&out, "\n%s Not looked at: %s. A shard was lost or stopped. `metapipe drift --scan %s` goes on where it stopped.\n", signBad, plural(n, "target"), plain(scan.ID, 60))
	}
	return out.String() + "\n"
}

func kindTitle(kind pipeline.DriftKind) string {
	switch kind {
	case pipeline.DriftReal:
		return "Changed outside of the service (`drift`)"
	case pipeline.DriftPending:
		return "Merged and never applied (`pending`)"
	case pipeline.DriftManager:
		return "Manager's code changed (`manager`)"
	case pipeline.DriftAbandoned:
		return "Switched off by a property (`abandoned`)"
	case pipeline.DriftLost:
		return "State lost (`lost`)"
	case pipeline.DriftError:
		return "Errors (`error`)"
	}
	return code(string(kind))
}

// took is a duration as people say it.
func took(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}
