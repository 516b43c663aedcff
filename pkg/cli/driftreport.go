package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/issues"
	"github.com/metapipe/metapipe/pkg/render"
)

// writeIssues writes to customers' issues, where it was asked to, and puts what it
// did into the scan.
func (m driftStep) writeIssues(ctx context.Context, scan *drift.Scan, o driftFindings) error {
	if o.issues == 0 {
		return nil
	}
	client, err := m.github.clientFor(envSourceToken, grantIssues)
	if err != nil {
		return err
	}
	issuer := &drift.Issuer{Store: m.store, Sealer: m.sealer, GitHub: client, Body: render.Renderer{}.Issue, Closing: render.Renderer{}.IssueClosing, Now: m.app.Now}
	for _, b := range m.broken {
		issuer.Broken = append(issuer.Broken, b.Name)
	}
	scan.Issues, err = issuer.Run(ctx, *scan, m.config.Customers, o.issues)
	for _, i := range scan.Issues {
		if i.Action != issues.Unchanged {
			m.app.logf("%s", issueLine(i))
		}
	}
	return err
}

// issueLine describes one issue in a line.
func issueLine(i drift.TargetIssue) string {
	line := fmt.Sprintf("%s: issue", i.Target)
	if i.Number > 0 {
		line += fmt.Sprintf(" #%d", i.Number)
	}
	line += " " + string(i.Action)
	if i.Reason != "" {
		line += ": " + i.Reason
	}
	return line
}

// print prints what a scan found, and puts it into the job's summary.
func (m driftStep) print(scan drift.Scan, o driftFindings) error {
	err := m.summarize(render.Renderer{}.Drift(scan))
	if o.json {
		return errors.Join(err, render.DriftJSON(m.app.Out, scan))
	}
	if len(scan.Results)+len(scan.Missing) == 0 {
		m.app.logf("there was no target to look at: no customer has an environment, or the filters leave out all")
	}
	for _, r := range scan.Results {
		_, printErr := fmt.Fprintln(m.app.Out, render.Terminal(driftLine(r)))
		err = errors.Join(err, printErr)
	}
	for _, name := range scan.Missing {
		_, printErr := fmt.Fprintf(m.app.Out, "%s: not checked\n", render.TerminalLine(name))
		err = errors.Join(err, printErr)
	}
	if len(scan.Missing) > 0 {
		m.app.logf("%d targets were not checked: `metapipe drift --scan %s` looks at them, or `metapipe drift scan` and `drift summary`", len(scan.Missing), scan.ID)
	}
	for _, group := range render.DriftAlike(scan) {
		_, printErr := fmt.Fprintf(m.app.Out, "alike in %d targets: %s: %s\n", len(group.Targets), render.TerminalLine(group.What), render.TerminalLine(group.Names(5)))
		err = errors.Join(err, printErr)
	}
	for _, rule := range scan.ExpiredRules {
		m.app.logf("this rule has expired and hides nothing: %s", rule)
	}
	return err
}
