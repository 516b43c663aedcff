package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/report"
)

// showLog prints what the plans and applies of a request have printed.
func (m *manager) showLog(ctx context.Context, c pipeline.Customer, env pipeline.Environment, o stateOptions) error {
	if !o.log || o.request == "" {
		return &pipeline.UsageError{Message: "--log and --request belong together", Next: "name the request whose log is to be shown: its report says which"}
	}
	id, err := m.request(ctx, c, o.request)
	if err != nil {
		return err
	}
	if m.sealer, err = m.openSealer(ctx); err != nil {
		return err
	}
	logs, err := pipeline.KeptLogs(ctx, m.store, m.sealer, c.Name, env, id)
	if errors.Is(err, pipeline.ErrNotFound) {
		return &pipeline.UsageError{Message: fmt.Sprintf("no log is kept of request %s for %s/%s", id.Short(), c.Name, env), Next: "it is kept as long as the plan; before that, the run itself has it"}
	}
	if err != nil {
		return err
	}
	if o.json {
		return m.app.printJSON(logs)
	}
	for _, log := range logs {
		fmt.Fprintf(m.app.Out, "== %s %d of request %s for %s/%s\n", log.Verb, log.Attempt, id.Short(), c.Name, env)
		for line := range strings.Lines(log.Text) {
			if _, err := fmt.Fprintln(m.app.Out, report.TerminalLine(strings.TrimSuffix(line, "\n"))); err != nil {
				return err
			}
		}
	}
	return nil
}
