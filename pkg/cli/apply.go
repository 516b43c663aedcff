package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

func newApplyCmd(app *App) *cobra.Command {
	var o targetOptions
	cmd := &cobra.Command{
		Use:   "apply",
		Short: "Apply the plan under review, and nothing else (manager's workflow)",
		Long: `apply restores the sealed plan of a target and applies it. It never plans again:
it compares the receipt of the plan with the request, the manager commit and tree,
the tool, the lock file, the state and the clock, and refuses (exit code 4) where
one differs. A plan is used once, also when its apply fails half-way. An apply that
ends before it could change anything (a lock in the way, an init that failed) leaves
it: run the job again.

Where metapipe.yml says that the environment is gated, the protection rules of
<environment>-apply are read first: without required reviewers, or without an approval
on record in this run, nothing is applied. The same holds for wait_timer (the timer
of the environment must be at least as long) and for prevent_self_review: no account
that started or re-ran the customer's run or this one may have approved. Accounts are
compared by their ids. A role is taken as for plan.

With --await-report, apply waits until "report --applying" of the same run has looked at
the plan, at most a minute: that report takes a plan out of use that a custom property
does not allow any more. The shipped workflow runs the two side by side.

Environment: METAPIPE_KEY, GITHUB_TOKEN (own repository: actions read).
A state that the tool could not write to its backend is sealed into the store; the
message says how "metapipe state recover" restores it. If the store is gone too, it is
a sealed file, which a later step should upload: output errored-state.

Outputs: outcome, reason, errored-state.`,
		Example: "  metapipe apply --customer example-customer --environment staging --request \"$REQUEST\" --receipt \"$RECEIPT\"",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			// GitHub drops outputs that hold a masked text: what arrives empty was
			// not compared by anybody.
			if cmd.Flags().Changed("receipt") && o.receipt == "" {
				return pipeline.Usagef("--receipt is empty").Nextf("pass the output `receipt` of the plan step")
			}
			return app.apply(cmd.Context(), o)
		},
	}
	o.targetFlags(cmd)
	cmd.Flags().StringVar(&o.receipt, "receipt", "", "receipt that was approved: its SHA-256 or its short `CODE`; another plan is refused")
	cmd.Flags().BoolVar(&o.awaitReport, "await-report", false, "wait until report --applying of this run has looked at the plan, at most 1m")
	required(cmd, "customer", "environment", "request")
	return cmd
}

func (a *App) apply(ctx context.Context, o targetOptions) error {
	o.actionsTokens = []string{envOwnToken}
	return a.onTarget(ctx, o, pipeline.WorkApply, func(m *manager, in pipeline.TargetInput) error { return m.apply(ctx, in, o.awaitReport) })
}

func (m *manager) apply(ctx context.Context, in pipeline.TargetInput, awaitReport bool) error {
	engine, err := m.engineOf(in.Customer, in.Stack)
	if err != nil {
		return err
	}
	applier := &deploy.Applier{Store: m.store, Sealer: m.sealer, Engine: engine, Parse: m.parse, Now: m.app.Now}
	if awaitReport {
		applier.AwaitReport = m.app.Sleep
	}
	if m.context.InActions {
		client, err := m.github.client(envOwnToken)
		if err != nil {
			return err
		}
		applier.Gate = client
	}
	result, err := applier.Run(ctx, in)
	reason := result.Reason
	var refused *pipeline.RefusedError
	if errors.As(err, &refused) {
		reason = refused.Reason
	}
	return errors.Join(err, m.outputs("outcome", string(result.Outcome), "reason", string(reason), "errored-state", result.SpareFile))
}
