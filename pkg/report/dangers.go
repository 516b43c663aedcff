package report

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const forcingLimit = 5 // attributes named for one replacement

// dangers is the list of everything that is destroyed or replaced, with the
// reason and with what forces the replacement. It is never folded.
func (s scribe) dangers(d draft, room size) string {
	n := len(d.d.dangers)
	if n == 0 {
		return ""
	}
	title := "Destroys and replaces"
	switch {
	case tenseOf(d.t) == past:
		title = "Destroyed and replaced"
	case d.t.Outcome.Final() && !d.t.Outcome.Succeeded():
		title = "The plan was to destroy or replace"
	}
	return list(fmt.Sprintf("%s %s (%d)", signCare, title, n), entries{
		n:     n,
		full:  func(i int) string { return danger(d.d.change(d.d.dangers, i)) },
		short: func(i int) string { return dangerLine(d.d.change(d.d.dangers, i)) + "\n" },
		more: func(shown int) string {
			destroys := max(0, d.d.destroys-shown)
			c := pipeline.Counts{Delete: destroys, Replace: n - shown - destroys}
			return fmt.Sprintf("- %s **and more that found no room here: %s**; %s\n",
				signCare, strings.Join(countWords(c, tenseOf(d.t)), ", "), s.elsewhere(d.t))
		},
	}, room)
}

// list writes a heading and what of e fits.
func list(title string, e entries, room size) string {
	if e.n == 0 {
		return ""
	}
	head := "#### " + title + "\n\n"
	return head + e.fit(room.minus(measure(head+"\n"))).join() + "\n"
}

func dangerLine(c *pipeline.ResourceChange) string {
	if c.Action == pipeline.ActionDelete {
		return "- " + signBad + " **destroy** " + resource(c)
	}
	return "- " + signCare + " **replace** " + resource(c)
}

// resource is the address of c in a code span, with the deposed object's key.
func resource(c *pipeline.ResourceChange) string {
	if c.Deposed == "" {
		return code(c.Address)
	}
	return code(c.Address) + " (an earlier object that was left behind, " + code(c.Deposed) + ")"
}

func danger(c *pipeline.ResourceChange) string {
	var out strings.Builder
	out.WriteString(dangerLine(c))
	if c.Action == pipeline.ActionReplace {
		order := "destroyed first, then created anew"
		if c.CreateFirst {
			order = "the new one is created before the old one is destroyed"
		}
		out.WriteString(", " + order)
	}
	if why := whyWords(c.Reason); why != "" {
		out.WriteString(": " + why)
	}
	out.WriteString("\n")
	named, more := 0, 0
	for i := range c.Attributes {
		a := &c.Attributes[i]
		switch {
		case !a.ForcesReplacement || c.Action != pipeline.ActionReplace:
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
