package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// dangerous is one change that destroys or replaces something.
type dangerous struct {
	t  *pipeline.TargetReport
	c  *pipeline.ResourceChange
	at string // the environment in words, where there are several
}

// stageTitles are the headings of the stages: to come, given up and done.
var stageTitles = [...]string{signCare + " Destroys and replaces", signCare + " Planned destroys and replaces", signDestroy + " Destroyed and replaced"}

// stage is the index of the stage in stageTitles.
func (d dangerous) stage() int {
	switch {
	case tenseOf(*d.t) == past:
		return 2
	case abandoned(*d.t):
		return 1
	}
	return 0
}

// dangerStages splits dangers by their stage.
func dangerStages(all []dangerous) (stages [len(stageTitles)][]dangerous) {
	for _, d := range all {
		stages[d.stage()] = append(stages[d.stage()], d)
	}
	return stages
}

func dangersOf(drafts []draft) []dangerous {
	var ranks [3][]dangerous
	for i := range drafts {
		d := &drafts[i]
		at := ""
		if len(drafts) > 1 {
			at = " in " + codeOr(targetName(d.t.Target), "one environment")
			if abandoned(d.t) {
				at += " (" + outcomeWords(d.t) + ")"
			}
		}
		for _, index := range d.d.dangers {
			c := &d.d.plan.Changes[index]
			rank := 1
			switch c.Action {
			case pipeline.ActionDelete:
				rank = 0
			case pipeline.ActionReplace:
				rank = 2
			}
			ranks[rank] = append(ranks[rank], dangerous{&d.t, c, at})
		}
	}
	return slices.Concat(ranks[:]...)
}

// abandoned reports a plan that was not carried out, at least not in full.
func abandoned(t pipeline.TargetReport) bool { return t.Outcome.Final() && !t.Outcome.Succeeded() }

// dangersTitle is the heading of one stage.
func dangersTitle(all []dangerous) string { return stageTitles[all[0].stage()] }

func (d dangerous) line() string {
	return "- " + actionSign(d.c.Action) + "**" + verbIn(d.c.Action, tenseOf(*d.t)) + "** " + resource(d.c) + d.at
}

func (d dangerous) full() string {
	return d.line() + d.words() + "\n" + causes(d.c, d.t.Plan.Compared) + d.forces()
}

// words say how and why, behind the line.
func (d dangerous) words() string {
	c, out := d.c, ""
	switch {
	case c.Action == pipeline.ActionReplace:
		out = ", " + orderWords(c, tenseOf(*d.t))
	case !c.Action.Known():
		out = ", which this version of metapipe does not know"
		if !d.t.Outcome.Final() || d.t.Outcome == pipeline.OutcomePlanned {
			out += ": ask the service provider before you approve"
		}
	}
	if why := whyWords(c.Reason); why != "" {
		out += ": " + why
	}
	return out
}

// forces are lines with the attributes that force a replacement.
func (d dangerous) forces() string {
	var out strings.Builder
	named, more := 0, 0
	for i := range d.c.Attributes {
		a := &d.c.Attributes[i]
		switch {
		case !a.ForcesReplacement || d.c.Action != pipeline.ActionReplace:
		case named == forcingLimit:
			more++
		default:
			named++
			out.WriteString("  - because " + transition(a) + "\n")
		}
	}
	if more > 0 {
		fmt.Fprintf(&out, "  - and because of %s more\n", plural(more, "attribute"))
	}
	return out.String()
}

// orderWords says what becomes of the old object of a replacement.
func orderWords(c *pipeline.ResourceChange, t tense) string {
	switch {
	case c.KeepsOld && t == past:
		return "the old one stayed as it is, and is no longer managed"
	case c.KeepsOld:
		return "the old one stays as it is, and is no longer managed"
	case c.CreateFirst && t == past:
		return "the new one was created before the old one was destroyed"
	case c.CreateFirst:
		return "the new one is created before the old one is destroyed"
	}
	return "destroyed first, then created"
}

// dangerWords reports a count that is shown in bold.
func dangerWords(w string) bool {
	for _, word := range []string{"destroy", "replace", "invoke", "unknown"} {
		if strings.Contains(w, word) {
			return true
		}
	}
	return false
}
