package cli

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/report"
)

// driftReport prints what a scan found.
func (m *manager) driftReport(_ context.Context, scan pipeline.DriftScan, o driftOptions) error {
	if o.json {
		return m.app.printJSON(scan)
	}
	for _, r := range scan.Results {
		if _, err := fmt.Fprintln(m.app.Out, report.Terminal(driftLine(r))); err != nil {
			return err
		}
	}
	for _, name := range scan.Missing {
		if _, err := fmt.Fprintf(m.app.Out, "%s: nobody looked at it\n", name); err != nil {
			return err
		}
	}
	for _, rule := range scan.ExpiredRules {
		m.app.tell("this rule has expired and hides nothing: %s", rule)
	}
	return nil
}
