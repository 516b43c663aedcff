package report

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// outputs lists the root outputs after an apply.
func (s scribe) outputs(d draft, room size) string {
	all := d.t.Outputs
	return list("Outputs", entries{
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

// done lists what an apply did before it failed or was stopped, the failures
// first.
func (s scribe) done(d draft, room size) string {
	if d.t.Outcome.Succeeded() {
		return ""
	}
	var bad, good []pipeline.AppliedResource
	for _, r := range d.t.Done {
		if r.Failed {
			bad = append(bad, r)
		} else {
			good = append(good, r)
		}
	}
	all := append(bad, good...)
	return list(fmt.Sprintf("What was done (%d) and what failed (%d)", len(good), len(bad)), entries{
		n: len(all),
		short: func(i int) string {
			if all[i].Failed {
				return "- " + signBad + " failed: " + verb(all[i].Action) + " " + code(all[i].Address) + "\n"
			}
			return "- " + signGood + " " + verb(all[i].Action) + " " + code(all[i].Address) + "\n"
		},
		more: func(shown int) string {
			return fmt.Sprintf("- and %d more; %s\n", len(all)-shown, s.elsewhere(d.t))
		},
	}, room)
}
