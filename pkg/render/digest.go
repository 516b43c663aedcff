package render

import (
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// digest sorts the changes of a plan by what a reader needs to know, in one
// walk. The slices hold indexes into Plan.Changes.
type digest struct {
	plan     *pipeline.Plan
	dangers  []int // destroys, what is not known, replacements
	changes  []int // everything with a diff, the dangerous first
	moved    []int
	imported []int
	forgot   []int
	reads    []int
	weight   int // a measure of how long the section may become
}

// digestOf reads the plan of t. A target whose plan no longer matters has an
// empty digest.
func digestOf(t pipeline.TargetReport) digest {
	if t.Plan == nil || t.Outcome == pipeline.OutcomeSuperseded {
		return digest{plan: &pipeline.Plan{}}
	}
	d := digest{plan: t.Plan}
	var others []int
	byAction := map[pipeline.Action][]int{}
	for i := range t.Plan.Changes {
		c := &t.Plan.Changes[i]
		if !c.Action.Known() {
			others = append(others, i)
			continue
		}
		byAction[c.Action] = append(byAction[c.Action], i)
		if c.KeepsOld {
			d.forgot = append(d.forgot, i)
		}
		if c.PreviousAddress != "" && c.PreviousAddress != c.Address {
			d.moved = append(d.moved, i)
		}
		if c.IsImport() {
			d.imported = append(d.imported, i)
		}
	}
	d.dangers = slices.Concat(byAction[pipeline.ActionDelete], others, byAction[pipeline.ActionReplace])
	d.changes = append(make([]int, 0, len(t.Plan.Changes)), d.dangers...)
	d.changes = append(d.changes, byAction[pipeline.ActionUpdate]...)
	d.changes = append(d.changes, byAction[pipeline.ActionCreate]...)
	d.forgot, d.reads = append(d.forgot, byAction[pipeline.ActionForget]...), byAction[pipeline.ActionRead]
	d.weight = len(t.Plan.Changes) + len(t.Plan.Drift) + len(t.Plan.Outputs) + len(t.Plan.Invocations) + len(t.Plan.Deferred)
	return d
}

func (d digest) change(list []int, i int) *pipeline.ResourceChange { return &d.plan.Changes[list[i]] }
