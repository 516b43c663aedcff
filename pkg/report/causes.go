package report

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// causes are lines that say which change of the customer's file a change of the
// infrastructure comes from, in the customer's own terms.
func causes(c *pipeline.ResourceChange) string {
	var out strings.Builder
	for i := range c.Causes {
		if i == forcingLimit {
			fmt.Fprintf(&out, "  - and because of %s more in the variables\n", plural(len(c.Causes)-i, "change"))
			break
		}
		out.WriteString("  - " + cause(&c.Causes[i]) + "\n")
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
			first = cause(&c.Causes[i])
		}
	}
	if n > 1 {
		first += fmt.Sprintf(", and because of %s more", plural(n-1, "change"))
	}
	return first
}

func cause(c *pipeline.Cause) string {
	if c.Path == "" {
		text := "because of " + code(c.Local)
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
