package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const forcingLimit = 5 // attributes named for one replacement

// dangerous is one change that destroys or replaces something.
type dangerous struct {
	t  *pipeline.TargetReport
	c  *pipeline.ResourceChange
	at string // the environment in words, where there are several
}

// dangers lists everything that targets destroy or replace: destroys first, with
// the reason and with what forces a replacement. What is still to come stands apart
// from what was given up and from what is done. It is never folded.
func (s scribe) dangers(drafts []draft, room size) string {
	var groups [][]dangerous
	for _, g := range dangerStages(dangersOf(drafts)) {
		if len(g) > 0 {
			groups = append(groups, g)
		}
	}
	var out strings.Builder
	for i, g := range groups {
		text := s.dangerList(g, room.part(1, len(groups)-i))
		room = room.minus(measure(text))
		out.WriteString(text)
	}
	return out.String()
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

// dangerList is the list of one stage.
func (s scribe) dangerList(all []dangerous, room size) string {
	groups := groupDangers(all)
	return list(fmt.Sprintf("%s (%d)", dangersTitle(all), len(all)), entries{
		n:     len(groups),
		full:  func(i int) string { return groups[i].full(s.block) },
		short: func(i int) string { return groups[i].line() + "\n" },
		more: func(shown int) string {
			var c pipeline.Counts
			for _, g := range groups[shown:] {
				for _, d := range g {
					c.Add(d.c.Action)
				}
			}
			return fmt.Sprintf("- %s **and more that found no room here: %s**; %s\n",
				signCare, strings.Join(countWords(c, tenseOf(*groups[shown][0].t)), ", "), s.elsewhere(*groups[shown][0].t))
		},
	}, room)
}

func dangersOf(drafts []draft) []dangerous {
	var ranks [3][]dangerous
	for i := range drafts {
		d := &drafts[i]
		at := ""
		if len(drafts) > 1 {
			at = " in " + codeOr(clip(string(d.t.Environment), 40), "one environment")
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

// list writes a heading and what of e fits.
func list(title string, e entries, room size) string {
	if e.n == 0 {
		return ""
	}
	head := "#### " + title + "\n\n"
	return head + e.fit(room.minus(measure(head+"\n"))).join() + "\n"
}

func (d dangerous) line() string {
	return "- " + actionSign(d.c.Action) + "**" + verbIn(d.c.Action, tenseOf(*d.t)) + "** " + resource(d.c) + d.at
}

// resource is the address of c in a code span, with the deposed object's key.
func resource(c *pipeline.ResourceChange) string {
	if c.Deposed == "" {
		return code(c.Address)
	}
	return code(c.Address) + " (an earlier object that was left behind, " + code(c.Deposed) + ")"
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

// transition is one attribute with its values before and after, on one line.
func transition(a *pipeline.AttributeChange) string {
	before, after := oneLine(a.Before, a.After, inlineLimit)
	return code(a.Path) + ": " + valueSpan(a.Before, before) + " → " + valueSpan(a.After, after)
}

// valueSpan puts a value into a code span, and leaves our own words plain.
func valueSpan(v pipeline.Value, text string) string {
	if v.Sensitive || v.Unknown || v.Text == "" {
		return text
	}
	return codeSpan(text)
}
