package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// foldAbove is the number of resources above which all of them are folded into
// one more block.
const foldAbove = 15

// changes is the differences of every resource, each folded.
func (s scribe) changes(d draft, room size) string {
	n := len(d.d.changes)
	if n == 0 {
		return ""
	}
	at := func(i int) *pipeline.ResourceChange { return d.d.change(d.d.changes, i) }
	title, end := s.heading("All changes"), ""
	if n > foldAbove || d.t.Outcome == pipeline.OutcomeApplied {
		title = fmt.Sprintf("<details><summary>All changes (%d)</summary>\n\n", n)
		end = "\n</details>\n\n"
	}
	leads, whys := sharedCauses(n, at)
	const apart = "Without their attributes, for want of room here; "
	note := apart + s.elsewhere(d.t) + ":\n\n"
	f := entries{
		n:     n,
		full:  func(i int) string { return leads[i] + s.changeBlock(at(i), whys[i], tenseOf(d.t)) },
		short: func(i int) string { return changeLine(at(i), tenseOf(d.t)) },
		more: func(shown int) string {
			var c pipeline.Counts
			for i := shown; i < n; i++ {
				c.Add(at(i).Action)
			}
			return fmt.Sprintf("- and more that found no room here: %s\n", strings.Join(countWords(c, tenseOf(d.t)), ", "))
		},
	}.fit(room.minus(measure(title + note + end + "\n")))
	full, short := f.split()
	if short += f.more; short != "" {
		short = note + short + "\n"
	}
	return title + full + short + end
}

func changeLine(c *pipeline.ResourceChange, t tense) string {
	return "- " + verbIn(c.Action, t) + " " + resource(c) + "\n"
}

// changeBlock is one resource with its cause, if that is its own, and its attributes,
// folded.
func (s scribe) changeBlock(c *pipeline.ResourceChange, why string, t tense) string {
	if len(c.Attributes) == 0 {
		if why != "" {
			why = "  - " + why + "\n"
		}
		return changeLine(c, t) + why + "\n"
	}
	if why != "" {
		why = "B" + strings.TrimPrefix(why, "b") + ".\n\n"
	}
	word := verbIn(c.Action, t)
	if !c.Action.Known() {
		word = htmlCode(string(c.Action))
	}
	summary := actionSign(c.Action) + word + " " + htmlCode(c.Address)
	if c.Deposed != "" {
		summary += " " + htmlCode(c.Deposed)
	}
	return folded(summary, why+fence("diff", s.diff(c.Attributes)))
}

// diff is the lines of a diff of attributes, at most s.block long.
func (s scribe) diff(attributes []pipeline.AttributeChange) string {
	var out strings.Builder
	var used size
	for i := range attributes {
		text := s.attribute(&attributes[i])
		if used = used.plus(measure(text)); !used.within(s.block) {
			fmt.Fprintf(&out, "  … and %s more\n", plural(len(attributes)-i, "attribute"))
			break
		}
		out.WriteString(text)
	}
	return out.String()
}

// attribute is one attribute as lines of a diff: "-" and "+" where both values
// are there to be compared, "~" where one cannot be shown.
func (s scribe) attribute(a *pipeline.AttributeChange) string {
	path, note := tidy(a.Path, toEscapes, nameLimit), ""
	if a.ForcesReplacement {
		note = "  # forces the replacement"
	}
	before, after := layout(a.Before), layout(a.After)
	if before != nil || after != nil {
		return s.multiline(path+":"+note, a, before, after)
	}
	from, to := oneLine(a.Before, a.After, s.value)
	switch {
	case a.Before.Absent():
		return "+ " + path + " = " + to + note + "\n"
	case a.After.Absent():
		return "- " + path + " = " + from + note + "\n"
	case a.Before.Text != "" && a.After.Text != "" && !hidden(a.Before) && !hidden(a.After):
		return "- " + path + " = " + from + "\n+ " + path + " = " + to + note + "\n"
	}
	return "~ " + path + " = " + from + " → " + to + note + "\n"
}

func hidden(v pipeline.Value) bool { return v.Sensitive || v.Unknown }
