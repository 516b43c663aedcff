package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// groupFrom is the number of instances from which on one cause is written once for all.
const groupFrom = 3

// dangerGroup is the instances of one resource that one cause destroys or replaces, or
// one change alone.
type dangerGroup []dangerous

// groupDangers puts instances with one cause together, where the first of them stands.
// A change without a cause stays alone: it has nothing in common with another.
func groupDangers(all []dangerous) []dangerGroup {
	type key struct {
		t                      *pipeline.TargetReport
		action                 pipeline.Action
		base, why, order, says string
	}
	counts, keys := map[key]int{}, make([]key, len(all))
	for i, d := range all {
		if len(d.c.Causes) > 0 && d.c.Deposed == "" {
			keys[i] = key{d.t, d.c.Action, pipeline.WithoutKeys(d.c.Address), d.c.Reason, orderWords(d.c, tenseOf(*d.t)), causes(d.c, d.t.Plan.Compared)}
			counts[keys[i]]++
		}
	}
	groups, at := make([]dangerGroup, 0, len(all)), map[key]int{}
	for i, d := range all {
		if keys[i].t == nil || counts[keys[i]] < groupFrom {
			groups = append(groups, dangerGroup{d})
			continue
		}
		k, ok := at[keys[i]]
		if !ok {
			k = len(groups)
			at[keys[i]], groups = k, append(groups, nil)
		}
		groups[k] = append(groups[k], d)
	}
	return groups
}

// line is the group with its count, and without its addresses.
func (g dangerGroup) line() string {
	d := g[0]
	if len(g) == 1 {
		return d.line()
	}
	return "- " + actionSign(d.c.Action) + "**" + verbIn(d.c.Action, tenseOf(*d.t)) + "** " + plural(len(g), "instance") + " of " + code(pipeline.WithoutKeys(d.c.Address)) + d.at
}

// full is the group under its cause, with as many of its addresses as a block holds.
// What forces a replacement stands once where it is the same for all.
func (g dangerGroup) full(block size) string {
	d := g[0]
	if len(g) == 1 {
		return d.full()
	}
	forces := d.forces()
	same := !slices.ContainsFunc(g, func(o dangerous) bool { return o.forces() != forces })
	list := entries{
		n: len(g),
		short: func(i int) string {
			text := "  - " + code(g[i].c.Address) + "\n"
			if !same {
				text += strings.ReplaceAll(g[i].forces(), "  - because", "    - because")
			}
			return text
		},
		more: func(shown int) string {
			return fmt.Sprintf("  - and %d more that found no room here\n", len(g)-shown)
		},
	}
	text := g.line() + d.words() + "\n" + causes(d.c, d.t.Plan.Compared)
	if same {
		text += forces
	}
	return text + list.fit(block).join()
}

// sharedCauses are the cause lines of changes. Where several instances follow each other
// that have one in common, the lead of the first says it for all, and their lines are
// empty.
func sharedCauses(n int, at func(int) *pipeline.ResourceChange) (leads, lines []string) {
	leads, lines = make([]string, n), make([]string, n)
	for i := range n {
		lines[i] = causeLine(at(i))
	}
	for i := 0; i < n; {
		base, end := pipeline.WithoutKeys(at(i).Address), i+1
		for lines[i] != "" && end < n && lines[end] == lines[i] && at(end).Action == at(i).Action && pipeline.WithoutKeys(at(end).Address) == base {
			end++
		}
		if end-i >= groupFrom {
			leads[i] = "The " + plural(end-i, "instance") + " of " + code(base) + ": " + lines[i] + ".\n\n"
			clear(lines[i:end])
		}
		i = end
	}
	return leads, lines
}
