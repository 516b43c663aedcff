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
