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
the one that was left, there is nothing to accept (exit code 2). A state of another
target is refused (exit code 4).

A target belongs to the repository that it was applied for. Where repository_id in the
customer's file has changed, plan and apply refuse it (other-repository). accept gives it
to the new repository when --repository-id names the id that the file has.

Of a customer without a file, such as a renamed one, accept removes the record of the
last apply where no key at hand opens it. The ledger still knows which state was left.

Environment: METAPIPE_KEY.`,
		Example: `  metapipe state accept --customer example-customer --environment staging --reason "destroyed by hand"`,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.stateAccept(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "environment `NAME`")
	o.stackFlag(cmd)
	cmd.Flags().StringVar(&o.reason, "reason", "", "`TEXT` for the ledger: why this state is the right one")
	cmd.Flags().Int64Var(&o.repository, "repository-id", 0, "`ID` of the repository that the target belongs to from now on, as the customer's file has it")
	return cmd
}

func (a *App) stateAccept(ctx context.Context, o acceptOptions) error {
	if err := recovery.CheckReason(o.reason); err != nil {
		return err
	}
	m, c, t, left, err := a.acceptedTarget(ctx, o)
	if err != nil {
		return err
	}
	if left {
		return acceptLeft(ctx, m, c, t, o.reason)
	}
	state, in, err := m.lostState(ctx, c, t)
	if err != nil {
		return err
	}
	if state.damaged() {
		return &pipeline.RefusedError{Reason: pipeline.ReasonStateLost, Message: state.Lost.Why,
			Next: fmt.Sprintf("restore it (`%s`); where there is none on purpose, move the damaged one away, and accept that then", state.Lost.Restore())}
	}
	restorer := &recovery.Restorer{Store: m.store, Sealer: m.sealer, Now: a.Now, ReadState: statesOf(m).reader()}
	if err := restorer.Accept(ctx, in, recovery.Acceptable{State: state.record(), Reason: o.reason, RepositoryID: o.repository}); err != nil {
		return err
	}
	what := "no state"
	if state.Exists {
		what = fmt.Sprintf("serial %d of lineage %s", state.Serial, state.Lineage)
	}
	_, err = fmt.Fprintf(a.Out, "accepted for %s: %s\n", in.Target(), what)
	return err
}

// acceptedTarget opens the manager and the target that the flags name. left: its customer
// has no file, and records in the store.
func (a *App) acceptedTarget(ctx context.Context, o acceptOptions) (m *manager, c pipeline.Customer, t pipeline.Target, left bool, err error) {
	m, err = a.stateManager(ctx, stateOptions{targetOptions: o.targetOptions}, func(m *manager) error {
		if _, err := pipeline.ParseCustomerName(o.customer); err != nil || m.place(o.store).isMissing() {
			return targetFlagsOf(m).checkTarget(o.targetOptions)
		}
		if _, registered := m.config.Customer(pipeline.CustomerName(o.customer)); registered {
			return targetFlagsOf(m).checkTarget(o.targetOptions)
		}
		return nil // the store may know it
	})
	if err != nil {
		return nil, c, t, false, err
	}
	if left, err = leftoversOf(m).isUnregistered(ctx, o.customer); err != nil {
		return nil, c, t, false, err
	}
	if !left {
		c, t, err = targetFlagsOf(m).target(ctx, o.targetOptions)
		return m, c, t, false, err
	}
	c = pipeline.Customer{Name: pipeline.CustomerName(o.customer), Manager: m.config.Manager}
	if o.repository != 0 {
		return nil, c, t, true, pipeline.Usagef("--repository-id: %s does not exist, so no file names a repository", customerFile(c.Name)).
			Nextf("leave --repository-id out, or give the customer its file first")
	}
	t, err = targetFlagsOf(m).storedTarget(ctx, c, o.targetOptions)
	return m, c, t, true, err
}

// acceptLeft accepts that the record of the last apply of a customer without a file cannot
// be read.
func acceptLeft(ctx context.Context, m *manager, c pipeline.Customer, t pipeline.Target, reason string) (err error) {
	if m.sealer, err = m.keys().sealer(ctx); err != nil {
		return err
	}
	in := pipeline.TargetInput{Customer: c, Environment: t.Environment, Stack: t.Stack, Run: m.run(), Actor: m.operator()}
	restorer := &recovery.Restorer{Store: m.store, Sealer: m.sealer, Now: m.app.Now}
	if err := restorer.AcceptLeft(ctx, in, reason); err != nil {
		return err
	}
	_, err = fmt.Fprintf(m.app.Out, "accepted for %s: the record of the last apply is removed; %s does not exist, and nothing else has changed\n", t, customerFile(c.Name))
	return err
}

// lostTarget opens the manager, the target that the flags name and its state, which
// no one may be working on.
func (a *App) lostTarget(ctx context.Context, o targetOptions) (*manager, targetState, pipeline.TargetInput, error) {
	m, c, t, err := a.onStoredTarget(ctx, o)
	if err != nil {
		return nil, targetState{}, pipeline.TargetInput{}, err
	}
	state, in, err := m.lostState(ctx, c, t)
	return m, state, in, err
}

// lostState reads the state of a target, which no one may be working on.
func (m *manager) lostState(ctx context.Context, c pipeline.Customer, t pipeline.Target) (state targetState, in pipeline.TargetInput, err error) {
	if m.sealer, err = m.keys().sealer(ctx); err != nil {
		return state, in, err
	}
	if state, err = statesOf(m).target(ctx, c, t); err != nil {
		return state, in, err
	}
	in = pipeline.TargetInput{Customer: c, Environment: t.Environment, Stack: t.Stack, ManagerDir: m.dir, Backend: m.backend(t), Run: m.run(), Host: hostname(), Actor: m.operator(), Log: m.app.Err}
	if state.LockDamaged != nil {
		return state, in, fmt.Errorf("look for the lock of %s: %w", t, state.LockDamaged)
	}
	if state.Lock != nil {
		return state, in, &pipeline.RefusedError{Reason: pipeline.ReasonLocked, Message: fmt.Sprintf("the state of %s is locked by %s", t, state.Lock),
			Next: "wait until that has ended; `metapipe unlock` releases the lock of a dead run"}
	}
	return state, in, nil
}
