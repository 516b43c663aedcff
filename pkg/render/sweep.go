package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
)

// Sweep is the job summary of a sweep, for the manager.
func Sweep(r sweep.Result) string {
	if len(r.Findings) == 0 {
		return fmt.Sprintf("### ✅ Nothing hangs\n\n%s, none of them lost.\n", plural(r.Open, "open request"))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "### 🧹 %s\n\n%s.\n\n| target | request | since | what | |\n|---|---|---|---|---|\n", plural(len(r.Findings), "finding"), plural(r.Open, "open request"))
	for _, f := range r.Findings {
		since := ""
		if !f.Since.IsZero() {
			since = moment(f.Since)
		}
		request := ""
		if f.Request != "" {
			request = code(f.Request.Short())
		}
		if f.Run.URL != "" {
			request = link(request, f.Run.URL)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", code(strings.TrimSuffix(f.Target().String(), "/")), request, since,
			cell(code(f.Message)), cell(findingEnd(f)))
	}
	return b.String()
}

func findingEnd(f sweep.Finding) string {
	switch {
	case f.Fixed:
		return "repaired"
	case f.Error != "":
		return "❌ " + code(f.Error)
	case f.Next != "":
		return code(f.Next)
	case f.Repairable():
		return "`metapipe sweep --fix` repairs it"
	}
	return ""
}

// SweepLines are the same for a terminal, one finding in a line.
func SweepLines(r sweep.Result) string {
	var b strings.Builder
	for _, f := range r.Findings {
		target := strings.TrimSuffix(f.Target().String(), "/")
		if f.Request != "" {
			target += " " + f.Request.Short()
		}
		fmt.Fprintf(&b, "%s %s: %s", target, f.Kind, f.Message)
		switch {
		case f.Fixed:
			b.WriteString("; repaired")
		case f.Error != "":
			b.WriteString("; NOT repaired: " + f.Error)
		case f.Next != "":
			b.WriteString("; " + f.Next)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "%s, %s\n", plural(r.Open, "open request"), plural(len(r.Findings), "finding"))
	return Terminal(b.String())
}
