package redact

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Diagnostic writes what the tool reported, with its explanation set off.
func (p *Log) Diagnostic(d pipeline.Diagnostic) {
	severity := "error: "
	if d.Warning {
		severity = "warning: "
	}
	place := ""
	if d.Where.File != "" {
		place = fmt.Sprintf(" (%s:%d)", d.Where.File, d.Where.Line)
	}
	p.Print(severity + d.Summary + place)
	if d.Detail != "" {
		p.Print("  " + strings.ReplaceAll(d.Detail, "\n", "\n  "))
	}
}
