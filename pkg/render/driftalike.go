package render

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline/drift"
)

// fewestAlike is how many targets must differ in the same way before one cause is likely.
const fewestAlike = 3

// mostAlike is how many such groups are shown.
const mostAlike = 5

// Alike is what several targets of a scan have in common.
type Alike struct {
	What    string   // such as "aws_s3_bucket.logs (tags)", or "error (denied)"
	Targets []string // <customer>/<environment>, in order; at least three
}

// DriftAlike groups the targets of a scan by what differs, the largest group first: many
// targets that differ alike have one cause, such as a new provider or someone's console.
func DriftAlike(scan drift.Scan) []Alike {
	targets := map[string][]string{}
	var order []string
	for _, r := range scan.Results {
		for _, what := range differences(r) {
			if targets[what] == nil {
				order = append(order, what)
			}
			targets[what] = append(targets[what], r.Target.String())
		}
	}
	var groups []Alike
	for _, what := range order {
		if len(targets[what]) >= fewestAlike {
			slices.Sort(targets[what])
			groups = append(groups, Alike{what, targets[what]})
		}
	}
	slices.SortStableFunc(groups, func(a, b Alike) int { return cmp.Compare(len(b.Targets), len(a.Targets)) })
	return groups[:min(len(groups), mostAlike)]
}

// differences are what differs at one target, each once. A drift and the change that
// reverts it have one address.
func differences(r drift.Result) []string {
	if r.Failure != nil {
		return []string{"error (" + r.Failure.Cause + ")"}
	}
	if r.Plan == nil || r.Clean() {
		return nil
	}
	var all []string
	named := map[string]bool{}
	for _, c := range slices.Concat(r.Plan.Drift, r.Plan.Changes) {
		if named[c.Address] {
			continue
		}
		named[c.Address] = true
		what := string(c.Action)
		if len(c.Attributes) > 0 {
			paths := make([]string, len(c.Attributes))
			for i, a := range c.Attributes {
				paths[i] = a.Path
			}
			slices.Sort(paths)
			what = strings.Join(slices.Compact(paths), ", ")
		}
		all = append(all, c.Address+" ("+what+")")
	}
	return all
}

// Names are the first of the targets, and how many more there are.
func (a Alike) Names(limit int) string {
	if len(a.Targets) <= limit {
		return strings.Join(a.Targets, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(a.Targets[:limit], ", "), len(a.Targets)-limit)
}

func alikeRows(scan drift.Scan) entries {
	groups := DriftAlike(scan)
	row := func(i, limit int) string {
		return tableRow(code(clip(groups[i].What, 200)), fmt.Sprint(len(groups[i].Targets)), plain(groups[i].Names(limit), 300))
	}
	return entries{n: len(groups), full: func(i int) string { return row(i, addressLimit) }, short: func(i int) string { return row(i, 1) }}
}
