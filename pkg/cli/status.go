package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/fleetstatus"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/render"
)

type statusOptions struct {
	targetOptions
	json bool
}

func newStatusCmd(app *App) *cobra.Command {
	var o statusOptions
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Print how each target of the fleet stands now",
		Long: `status prints each target with its state, since when, whose request that is, what it
waits for, what was applied last, and what the last drift scan found. It reads the
store alone, and asks neither GitHub nor the tool.

It shows the targets that metapipe.yml and customers/ name; state list also finds what
is left of others. A customer whose file has problems is shown as unknown in each
environment of metapipe.yml, and hides no other customer. It verifies the last entry of
each ledger; ledger --verify compares whole ledgers with what GitHub remembers.

Environment: METAPIPE_KEY. Without it nothing is verified, and drift is not known.
Exit code 1: a target could not be read.`,
		Example: `  metapipe status
  metapipe status --environment production --json`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return app.status(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "only this customer `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "only this environment `NAME`")
	cmd.Flags().StringVar(&o.stack, "stack", "", "only this stack `NAME`")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *App) status(ctx context.Context, o statusOptions) error {
	o.tolerant = true
	m, err := a.stateManager(ctx, stateOptions{targetOptions: o.targetOptions},
		func(m *manager) error { return fleetStatusOf(m).check(o) })
	if err != nil {
		return err
	}
	wanted := fleetStatusOf(m).wanted(o)
	stored, err := m.keys().reading(ctx, m.store)
	if err != nil {
		return err
	}
	fleet := fleetstatus.Read(ctx, stored, wanted, a.Now())
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := fleetStatusOf(m).addDrift(ctx, stored, &fleet); err != nil {
		fleet.DriftUnread = err.Error()
	}
	if o.json {
		err = a.printJSON(fleet)
	} else {
		_, err = fmt.Fprint(a.Out, render.FleetStatus(fleet))
	}
	if unread := fleet.Unread(); err == nil && unread > 0 {
		return &pipeline.FailedError{Message: fmt.Sprintf("%d of %d targets could not be read", unread, len(fleet.Targets)), Next: "the list says why for each"}
	}
	return err
}

// fleetStatus looks at targets.
type fleetStatus struct{ *manager }

func fleetStatusOf(m *manager) fleetStatus { return fleetStatus{m} }

func (m fleetStatus) check(o statusOptions) error {
	if _, broken := driftOf(m.manager).brokenFiles()[pipeline.CustomerName(o.customer)]; o.customer != "" && !broken {
		if _, err := m.customer(o.customer); err != nil {
			return err
		}
	}
	if o.environment != "" {
		if _, err := m.manager.environment("environment", o.environment); err != nil {
			return err
		}
	}
	if _, declared := m.config.Manager.Stack(pipeline.StackName(o.stack)); o.stack != "" && !declared {
		return m.noStack(o.stack)
	}
	return nil
}

// wanted are the targets that the flags name.
func (m fleetStatus) wanted(o statusOptions) []fleetstatus.Wanted {
	var wanted []fleetstatus.Wanted
	broken := driftOf(m.manager).brokenFiles()
	for _, c := range driftOf(m.manager).listed() {
		if o.customer != "" && o.customer != string(c.Name) {
			continue
		}
		for _, t := range c.Targets() {
			if !o.fits(t) {
				continue
			}
			rule, _ := c.Manager.Rule(t.Environment)
			w := fleetstatus.Wanted{Target: t, Gated: rule.Gated, Properties: c.Manager.Properties}
			if err := broken[c.Name]; err != nil {
				w.Broken = err.Error()
			}
			wanted = append(wanted, w)
		}
	}
	return wanted
}

// addDrift enters what the last scan knew. Without the key nothing of it is known.
func (m fleetStatus) addDrift(ctx context.Context, stored record.Records, fleet *fleetstatus.Fleet) error {
	if stored.Sealer == nil {
		return errors.New("nothing is known of drift: " + envKey + " is not set")
	}
	history, err := drift.Scans(m.store, stored.Sealer, m.app.Now).Known(ctx)
	if err != nil {
		return fmt.Errorf("nothing is known of drift: %w", err)
	}
	book, err := drift.Issues(ctx, m.store, stored.Sealer, m.app.Now)
	if err != nil { // no reason to hide what differs
		fleet.IssuesUnread = fmt.Sprintf("which issues are open is not known: %v", err)
	}
	fleet.AddDrift(history, book)
	return nil
}
