package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
	"github.com/metapipe/metapipe/pkg/render"
)

type unlockOptions struct {
	targetOptions
	lockID      string
	noRun, json bool
}

func newUnlockCmd(app *App) *cobra.Command {
	var o unlockOptions
	cmd := &cobra.Command{
		Use:   "unlock",
		Short: "Release the lock that a dead run has left on a state",
		Long: `unlock releases the lock of one target's state when it is the one that --lock-id
names, is some minutes old, and GitHub says that the run which took it is over. It
refuses (exit code 4) otherwise and says who holds the lock. The release stands in
the ledger of the target.

A lock that no run has taken belongs to a person's machine: --no-run releases it,
when you know that the process there is dead. So do the locks of a table or of a
backend of your own, which only the tool can see: they are not released while a run
goes on that may hold them.

Environment: GITHUB_TOKEN (own repository: actions read).`,
		Example: "  metapipe unlock --customer example-customer --environment staging --lock-id 5c5be8d3-3f5d-4ee4-a4c4-4d0cd2a5ea36",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.unlock(cmd.Context(), o) },
	}
	o.flags(cmd)
	o.runFlag(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "environment `NAME`")
	o.stackFlag(cmd)
	cmd.Flags().StringVar(&o.lockID, "lock-id", "", "`ID` of the lock, as `state show` prints it")
	cmd.Flags().BoolVar(&o.noRun, "no-run", false, "release a lock that no run of metapipe has taken")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	required(cmd, "customer", "environment", "lock-id")
	return cmd
}

func (a *App) unlock(ctx context.Context, o unlockOptions) error {
	m, c, t, err := a.onStoredTarget(ctx, o.targetOptions)
	if err != nil {
		return err
	}
	free, err := statesOf(m).free(ctx, c, t)
	if err != nil {
		return err
	}
	if free && o.lockID != "" {
		return a.printUnlocked(o, unlockResult{Target: t})
	}
	dir, remove, err := m.workDir(o.directories, string(c.Name), t.Part())
	if err != nil {
		return err
	}
	defer remove()
	unlocker, err := statesOf(m).unlocker(c, t.Stack)
	if err != nil {
		return err
	}
	lock, err := unlocker.Run(ctx, sweep.UnlockInput{LockID: o.lockID, NoRun: o.noRun,
		TargetInput: pipeline.TargetInput{Customer: c, Environment: t.Environment, Stack: t.Stack, ManagerDir: m.dir, RunDir: dir, Backend: m.backend(t), Run: m.run(), Actor: m.operator(), Log: a.Err}})
	if err != nil {
		return err
	}
	return a.printUnlocked(o, unlockResult{Target: t, Released: true, Lock: &lock})
}

// unlockResult is what --json prints.
type unlockResult struct {
	pipeline.Target
	Released bool           `json:"released"` // false: there was no lock
	Lock     *pipeline.Lock `json:"lock,omitempty"`
}

func (a *App) printUnlocked(o unlockOptions, r unlockResult) (err error) {
	switch {
	case o.json:
		return a.printJSON(r)
	case r.Released:
		_, err = fmt.Fprintf(a.Out, "the lock of %s is released: %s\n", r.Target, render.TerminalLine(r.Lock.String()))
	default:
		_, err = fmt.Fprintf(a.Out, "the state of %s is not locked: nothing to do\n", r.Target)
	}
	return err
}

func (m states) unlocker(c pipeline.Customer, stack pipeline.StackName) (*sweep.Unlocker, error) {
	engine, err := capable[pipeline.LockReleaser](m.manager, c, stack, pipeline.CapabilityLocks)
	if err != nil {
		return nil, err
	}
	u := &sweep.Unlocker{Store: m.store, Locks: m, Engine: engine, Manager: m.repository(), Now: m.app.Now}
	if m.app.getenv(envOwnToken) == "" {
		return u, nil
	}
	own, err := m.github.client(envOwnToken)
	if err == nil {
		u.Runs = own
	}
	return u, err
}
