package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// comparisonWords says once for a target why its changes name no cause; empty where
// they do, and where there is nothing to explain.
func comparisonWords(t pipeline.TargetReport) string {
	d := digestOf(t)
	if len(d.changes) == 0 {
		return ""
	}
	const advice = " An edit of the variables may have caused some of these changes, even where no line is shown. Ask your service provider to check the log of the manager's run."
	switch c := d.plan.Compared; c {
	case "", pipeline.ComparedApplied:
		return ""
	case pipeline.ComparedNothing:
		return "No apply came before this plan, so there are no earlier variables to compare with."
	case pipeline.ComparedUnreadable:
		return signCare + " **The causes of the changes are not known:** the variables could not be decoded to compare them with those of the last apply." + advice
	default:
		return signCare + " **The causes of the changes are not known:** the variables of the last apply could not be read." + advice
	}
}

// causes are lines that say which change of the customer's file a change of the
// infrastructure comes from, in the customer's own terms.
func causes(c *pipeline.ResourceChange, compared pipeline.Comparison) string {
	var out strings.Builder
	for i := range c.Causes {
		if i == forcingLimit {
			fmt.Fprintf(&out, "  - and because of %s more in the variables\n", plural(len(c.Causes)-i, "change"))
			break
		}
		out.WriteString("  - " + cause(&c.Causes[i], compared) + "\n")
	}
	return out.String()
}

// causeLine is the first change of the customer's file that an update or a creation
// comes from, and how many there are besides, on one line; empty when none is known.
// Destroys and replacements have all of their causes above.
func causeLine(c *pipeline.ResourceChange) string {
	if c.Action != pipeline.ActionUpdate && c.Action != pipeline.ActionCreate {
		return ""
	}
	first, n := "", 0
	for i := range c.Causes {
		if c.Causes[i].Path == "" {
			continue // of the provider's code, and no news
		}
		if n++; n == 1 {
			first = cause(&c.Causes[i], pipeline.ComparedApplied) // a key is known by a comparison
		}
	}
	if n > 1 {
		first += fmt.Sprintf(", and because of %s more", plural(n-1, "change"))
	}
	return first
}

// cause is one cause in words. That nothing in the variables is named means that the
// provider's code changed only where they were compared.
func cause(c *pipeline.Cause, compared pipeline.Comparison) string {
	if c.Path == "" {
		text := "because of " + code(c.Local)
		if !compared.Known() {
			text = "computed from " + code(c.Local)
		}
		if c.Where.File != "" {
			text += " (" + code(lineOnly(c.Where)) + ")"
		}
		return text + " in the service provider's code"
	}
	at := ""
	if c.Where.Line > 0 {
		at = fmt.Sprintf(" (line %d)", c.Where.Line)
	}
	before, after := oneLine(c.Before, c.After, inlineLimit)
	switch path := code(c.Path) + at; {
	case c.Before.Absent() && c.After.Absent(): // inside of a map or a list, or the order of a list
		return "because you changed " + path
	case c.Before.Absent():
		return "because you added " + path + ": " + valueSpan(c.After, after)
	case c.After.Absent():
		return "because you removed " + path + ", which was " + valueSpan(c.Before, before)
	case c.Before.Sensitive || c.After.Sensitive:
		return "because you changed " + path
	default:
		return "because you changed " + path + " from " + valueSpan(c.Before, before) + " to " + valueSpan(c.After, after)
	}
}
