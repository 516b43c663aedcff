package render

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
)

// PropertiesList is the custom properties of each customer for a terminal: a line for each
// property, and what will be rejected or is not known.
func PropertiesList(all []properties.CustomerProperties) string {
	var out strings.Builder
	for i, c := range all {
		if i > 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "%s (%s)\n", c.Customer, repositoryNow(c))
		if len(c.Properties) > 0 {
			w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
			fmt.Fprintln(w, "  PROPERTY\tVALUE\tORIGIN\tEFFECT")
			for _, p := range c.Properties {
				fmt.Fprintf(w, "  %s\t%s\t%s\t%s\n", TerminalLine(p.Name), dash(TerminalLine(propertyText(p.Value))), p.Origin, TerminalLine(p.Effect))
			}
			_ = w.Flush() // into memory
		}
		for _, problem := range c.Problems {
			fmt.Fprintf(&out, "  ✗ the next request will be rejected: %s\n", TerminalLine(problem))
		}
		if c.Unread != "" {
			fmt.Fprintf(&out, "  ✗ not known: %s\n", TerminalLine(c.Unread))
		}
	}
	return Terminal(out.String())
}

// repositoryNow is the repository in the customer's file, with what has become of it.
func repositoryNow(c properties.CustomerProperties) string {
	name := c.Repository
	if c.Renamed != "" {
		name += ", now " + TerminalLine(c.Renamed)
	}
	if c.Archived {
		name += ", archived"
	}
	return name
}

func propertyText(p pipeline.Property) string {
	switch {
	case p.Form == pipeline.PropertyText:
		return clip(p.Text, 60)
	case p.Form == pipeline.PropertyList && len(p.List) == 0:
		return "(empty list)"
	case p.Form == pipeline.PropertyList:
		return clip(strings.Join(p.List, ", "), 120)
	case p.Form == pipeline.PropertyOther:
		return "(a form that is not known)"
	}
	return ""
}
