package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/render"
)

func newPlanCmd(app *App) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Plan one target: of a request, or of a customer checkout as a dry run",
		Long: `plan makes the plan of one target (customer × environment) of a request, seals it
and puts it with its receipt into the store, where apply finds it.

With --customer-dir it is a dry run on a laptop: it plans the customer checkout
with the manager checkout and prints the Markdown that would be the comment. The
state is a scratch one unless --state reads the real one (without a lock); nothing
is written to it. The customer need not be registered.

Where metapipe.yml or the customer's file names a role, it is taken with the run's ID
token and cut to the target; the store and the tool get no other AWS credentials.

Environment: METAPIPE_KEY (not for a dry run); METAPIPE_TOOL, the path of the
terraform or tofu binary that plans (default: the first fitting one in PATH).
Outputs: outcome, reason, has-changes, receipt (its SHA-256, for apply), receipt-code
(what people compare), create, update, replace, delete, import, move, forget, invoke.`,
		Example: "  metapipe plan --customer-dir ../shop-platform --environment staging",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.customerDir != "" {
				return app.dryRun(cmd.Context(), o)
			}
			return app.plan(cmd.Context(), o.targetOptions)
		},
	}
	o.targetFlags(cmd)
	cmd.Flags().StringVar(&o.customerDir, "customer-dir", "", "dry run: `DIR` of the customer checkout")
	cmd.Flags().BoolVar(&o.json, "json", false, "dry run: print JSON instead of Markdown")
	cmd.Flags().BoolVar(&o.state, "state", false, "dry run: plan against the real state of --customer, without a lock")
	return cmd
}

func (a *App) plan(ctx context.Context, o targetOptions) error {
	return a.onTarget(ctx, o, pipeline.WorkPlan, func(m *manager, in pipeline.TargetInput) error {
		engine, err := m.engineOf(in.Customer, in.Stack)
		if err != nil {
			return err
		}
		planner := &deploy.Planner{Store: m.store, Sealer: m.sealer, Engine: engine, Parse: m.parse, Now: a.Now}
		result, err := planner.Run(ctx, in)
		return errors.Join(err, m.planOutputs(result))
	})
}

func (s *step) planOutputs(r deploy.TargetResult) error {
	pairs := []string{"outcome", string(r.Outcome), "reason", string(r.Reason), "has-changes", strconv.FormatBool(r.HasChanges), "receipt", r.Receipt, "receipt-code", r.ReceiptCode}
	var c pipeline.Counts
	if r.Plan != nil {
		c = r.Plan.Counts
	}
	for _, n := range []struct {
		name  string
		count int
	}{{"create", c.Create}, {"update", c.Update}, {"replace", c.Replace}, {"delete", c.Delete}, {"import", c.Import}, {"move", c.Move}, {"forget", c.Forget}, {"invoke", c.Invoke}} {
		pairs = append(pairs, n.name, strconv.Itoa(n.count))
	}
	return s.outputs(pairs...)
}

func (a *App) printTarget(target pipeline.TargetReport, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintln(a.Out, render.Renderer{}.Plan(target))
		return err
	}
	encoder := json.NewEncoder(a.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(target)
}
