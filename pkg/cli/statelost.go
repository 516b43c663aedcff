package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
)

type acceptOptions struct {
	targetOptions
	reason     string
	repository int64
}

func newStateAcceptCmd(app *App) *cobra.Command {
	var o acceptOptions
	cmd := &cobra.Command{
		Use:   "accept",
		Short: "Accept the state of a target as it is, where it is not the one that was left",
		Long: `accept records that the state of one target is right as it is now, or that there is
none on purpose: you have destroyed the infrastructure by hand, or moved the state. Plans
build on it from then on. It changes no state. Where the state is lost, use state
restore instead: a plan without it builds everything a second time. Where the state is
the one that was left, there is nothing to accept (exit code 2).

A target belongs to the repository that it was applied for. Where repository_id in the
customer's file has changed, plan and apply refuse it (other-repository). accept gives it
to the new repository when --repository-id names the id that the file has.

Environment: METAPIPE_KEY.`,
		Example: `  metapipe state accept --customer example-customer --environment staging --reason "destroyed by hand"`,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.stateAccept(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "environment `NAME`")
	cmd.Flags().StringVar(&o.reason, "reason", "", "`TEXT` for the ledger: why this state is the right one")
	cmd.Flags().Int64Var(&o.repository, "repository-id", 0, "`ID` of the repository that the target belongs to from now on, as the customer's file has it")
	return cmd
}

func (a *App) stateAccept(ctx context.Context, o acceptOptions) error {
	if err := recovery.CheckReason(o.reason); err != nil {
		return err
	}
	m, state, in, err := a.lostTarget(ctx, o.targetOptions)
	if err != nil {
		return err
	}
	if state.damaged() {
		return &pipeline.RefusedError{Reason: pipeline.ReasonStateLost, Message: state.Lost.Why,
			Next: fmt.Sprintf("restore it (`%s`); where there is none on purpose, move the damaged one away, and accept that then", state.Lost.Restore())}
	}
	restorer := &recovery.Restorer{Store: m.store, Sealer: m.sealer, Now: a.Now}
	if err := restorer.Accept(ctx, in, recovery.Acceptable{State: state.record(), Reason: o.reason, RepositoryID: o.repository}); err != nil {
		return err
	}
	what := "no state"
	if state.Exists {
		what = fmt.Sprintf("serial %d of lineage %s", state.Serial, state.Lineage)
	}
	_, err = fmt.Fprintf(a.Out, "accepted for %s/%s: %s\n", in.Customer.Name, in.Environment, what)
	return err
}

// lostTarget opens the manager, the target that the flags name and its state, which
// nobody may be working on.
func (a *App) lostTarget(ctx context.Context, o targetOptions) (*manager, targetState, pipeline.TargetInput, error) {
	var in pipeline.TargetInput
	m, c, env, err := a.onStoredTarget(ctx, o)
	if err != nil {
		return nil, targetState{}, in, err
	}
	if m.sealer, err = m.keys().sealer(ctx); err != nil {
		return nil, targetState{}, in, err
	}
	state, err := statesOf(m).target(ctx, c, env)
	if err != nil {
		return nil, targetState{}, in, err
	}
	in = pipeline.TargetInput{Customer: c, Environment: env, ManagerDir: m.dir, Backend: m.backend(c, env), Run: m.run(), Host: hostname(), Actor: m.operator(), Log: a.Err}
	if state.Lock != nil {
		return nil, state, in, &pipeline.RefusedError{Reason: pipeline.ReasonLocked, Message: fmt.Sprintf("the state of %s/%s is locked by %s", c.Name, env, state.Lock),
			Next: "wait until that has ended; `metapipe unlock` releases the lock of a dead run"}
	}
	return m, state, in, nil
}
