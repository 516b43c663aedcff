package render

import (
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// outputs lists the root outputs after an apply.
func (s scribe) outputs(d draft, room size) string {
	all := d.t.Outputs
	return s.list("Outputs", entries{
		n: len(all),
		full: func(i int) string {
			v := pipeline.Value{Text: all[i].Value, Sensitive: all[i].Sensitive}
			lines := layout(v)
			if lines == nil {
				text, _ := oneLine(v, v, s.value)
				return "- " + code(all[i].Name) + " = " + valueSpan(v, text) + "\n"
			}
			body := &hunk{limit: s.lines, width: s.value}
			body.write("", lines)
			body.flush("")
			return "\n" + folded("output "+htmlCode(all[i].Name), fence("text", body.String()))
		},
		short: func(i int) string { return "- " + code(all[i].Name) + " (not shown here for want of room)\n" },
		more: func(shown int) string {
			return fmt.Sprintf("- and %s more; %s\n", plural(len(all)-shown, "output"), s.elsewhere(d.t))
		},
	}, room)
}

// done lists what an apply did before it failed or was stopped: the failures
// first, then what it had begun.
func (s scribe) done(d draft, room size) string {
	if d.t.Outcome.Succeeded() {
		return ""
	}
	var bad, open, good []pipeline.AppliedResource
	for _, r := range d.t.Done {
		switch {
		case r.Unfinished:
			open = append(open, r)
		case r.Failed:
			bad = append(bad, r)
		default:
			good = append(good, r)
		}
	}
	all := slices.Concat(bad, open, good)
	title := fmt.Sprintf("What was done (%d) and what failed (%d)", len(good), len(bad))
	if len(open) > 0 {
		title = fmt.Sprintf("What was done (%d), what failed (%d) and what did not end (%d)", len(good), len(bad), len(open))
	}
	return s.list(title, entries{
		n: len(all),
		short: func(i int) string {
			if all[i].Unfinished {
				return "- " + signCare + " began and did not end: " + verb(all[i].Action) + " " + code(all[i].Address) + " (look whether it exists: the state may not know it)\n"
			}
			if all[i].Failed {
				return "- " + signBad + " failed: " + verb(all[i].Action) + " " + code(all[i].Address) + "\n"
			}
			return "- " + signGood + " " + verbIn(all[i].Action, past) + " " + code(all[i].Address) + "\n"
		},
		more: func(shown int) string {
			return fmt.Sprintf("- and %d more; %s\n", len(all)-shown, s.elsewhere(d.t))
		},
	}, room)
}
