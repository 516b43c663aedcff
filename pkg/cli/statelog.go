package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/render"
)

// logReader shows what plans and applies printed.
type logReader struct{ *manager }

func logsOf(m *manager) logReader { return logReader{m} }

// show prints what the plans and applies of a request have printed: of the one
// that --request names, or of the one with the newest log.
func (m logReader) show(ctx context.Context, c pipeline.Customer, t pipeline.Target, o stateOptions) error {
	if !o.log {
		return pipeline.Usagef("--request needs --log").Nextf("add --log to print what its plans and applies have printed")
	}
	id, err := m.loggedRequest(ctx, c, t, o.request)
	if err != nil {
		return err
	}
	if m.sealer, err = m.keys().sealer(ctx); err != nil {
		return err
	}
	logs, err := record.KeptLogs(ctx, m.store, m.sealer, t, id)
	if errors.Is(err, pipeline.ErrNotFound) {
		return pipeline.Usagef("no log is kept of request %s for %s", id.Short(), t).
			Nextf("it is kept as long as the plan; before that, the run itself has it")
	}
	if err != nil {
		return err
	}
	if o.json {
		return m.app.printJSON(logs)
	}
	for _, log := range logs {
		fmt.Fprintf(m.app.Out, "== %s %d of request %s for %s\n", log.Command, log.Attempt, id.Short(), t)
		for line := range strings.Lines(log.Text) {
			if _, err := fmt.Fprintln(m.app.Out, render.TerminalLine(strings.TrimSuffix(line, "\n"))); err != nil {
				return err
			}
		}
	}
	return nil
}

// loggedRequest reads the flag, or finds the request whose log of the target is the
// newest.
func (m logReader) loggedRequest(ctx context.Context, c pipeline.Customer, t pipeline.Target, given string) (pipeline.RequestID, error) {
	if given != "" {
		return targetFlagsOf(m.manager).request(ctx, c, given)
	}
	found, err := m.store.Describe(ctx, fmt.Sprintf("%s/plans/", t.Folder()))
	if err != nil {
		return "", fmt.Errorf("look for the newest log of %s: %w", t, err)
	}
	var newest pipeline.RequestID
	var at time.Time
	for _, object := range found {
		id, ok := record.LoggedRequest(t, object.Key)
		if ok && (newest == "" || object.Changed.After(at)) {
			newest, at = id, object.Changed
		}
	}
	if newest == "" {
		return "", pipeline.Usagef("no log is kept for %s", t).
			Nextf("a log is kept as long as its plan; before that, the run itself has it")
	}
	return newest, nil
}
