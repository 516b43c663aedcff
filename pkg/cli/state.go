package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/render"
)

func newStateCmd(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "state",
		Short:   "Show which states there are, and bring back one that is lost or could not be written",
		Example: "  metapipe state list",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStateListCmd(app), newStateShowCmd(app), newStateRecoverCmd(app), newStateRestoreCmd(app), newStateAcceptCmd(app), newStateReindexCmd(app))
	return cmd
}

func newStateListCmd(app *App) *cobra.Command {
	var o stateOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the states of the customers: place, size, serial, last change, lock",
		Long: `list shows a line for each target: where its state is, its size, serial and last
change, and who holds its lock. It reads the counting of a state and no value of it.
Customers without a file in customers/ are shown where the store has a state of them:
a renamed file leaves its states under the old name. LEFT names applied targets in an
environment, or of a stack, that metapipe.yml does not declare any more, or that the
customer's file does not allow any more: nothing plans them. Those that metapipe customer rename
has copied are shown with the new name; with METAPIPE_KEY the record of that is verified.
UNREAD means that the rest is not known of this one; the command fails (exit code 1) after
it has shown the others. LOST means that the last apply left a state, and that it is gone, older or another one
now: state restore brings it back. ENDED means that a destroy left nothing, and that
nothing was built since.`,
		Example: "  metapipe state list --customer example-customer",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.stateList(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "only this customer `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "only this environment `NAME`")
	cmd.Flags().StringVar(&o.stack, "stack", "", "only this stack `NAME`")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func newStateShowCmd(app *App) *cobra.Command {
	var o stateOptions
	cmd := &cobra.Command{
		Use:   "show",
		Short: "Show the state of one target, and what is kept of it",
		Long: `show prints what list prints, and the lineage of the state and the requests whose
apply could not write it (state recover brings those back). No value is shown.

With --log it prints instead what the plans and applies of --request have printed, or
those of the request with the newest log, redacted as their live log was. A log is kept
as long as its plan.

Environment: METAPIPE_KEY (with --log).`,
		Example: "  metapipe state show --customer example-customer --environment staging",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.stateShow(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME`")
	cmd.Flags().StringVar(&o.environment, "environment", "", "environment `NAME`")
	o.stackFlag(cmd)
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	cmd.Flags().BoolVar(&o.log, "log", false, "print what the plans and applies of --request, or of the newest request, have printed")
	cmd.Flags().StringVar(&o.request, "request", "", "with --log: request `ID` (default: the one with the newest log)")
	required(cmd, "customer", "environment")
	return cmd
}

func newStateRecoverCmd(app *App) *cobra.Command {
	var o stateOptions
	cmd := &cobra.Command{
		Use:   "recover",
		Short: "Push a state that an apply could not write to its backend",
		Long: `recover opens the sealed state that an apply of this request kept when it could not
write it, and pushes it to the backend of the target. It refuses (exit code 4) when
the backend holds another state (other lineage), or one that was written since the
plan. Done a second time it changes nothing.

With --file it takes the sealed file that apply left where the store was gone too.

Environment: METAPIPE_KEY.`,
		Example: "  metapipe state recover --customer example-customer --environment staging --request c31892b2",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.stateRecover(cmd.Context(), o) },
	}
	o.targetFlags(cmd)
	cmd.Flags().StringVar(&o.file, "file", "", "sealed `FILE` that apply left, instead of the one in the store")
	cmd.Flags().StringVar(&o.unlock, "unlock", "", "release the lock with this `ID` first: that of the failed apply, when its run has ended")
	required(cmd, "customer", "environment", "request")
	return cmd
}

func (a *App) stateRecover(ctx context.Context, o stateOptions) error {
	if o.file != "" {
		file, err := a.namedFile("--file", o.file, "name the sealed file that apply left")
		if err != nil {
			return err
		}
		o.file = file
	}
	return a.onTarget(ctx, o.targetOptions, pipeline.WorkApply, func(m *manager, in pipeline.TargetInput) error {
		engine, err := capable[pipeline.StatePusher](m, in.Customer, in.Stack, pipeline.CapabilityRecovery)
		if err != nil {
			return err
		}
		recoverer := &recovery.Recoverer{Store: m.store, Sealer: m.sealer, Engine: engine, Now: a.Now}
		state, err := recoverer.Run(ctx, recovery.RecoverInput{TargetInput: in, File: o.file, Unlock: o.unlock})
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.Out, "the state of %s is in %s: serial %d\n", in.Target(), in.Backend, state.Serial)
		return err
	})
}

func (a *App) stateList(ctx context.Context, o stateOptions) error {
	o.list = true
	m, err := a.stateManager(ctx, o, func(m *manager) error {
		if err := checkStoredName(o.customer); err != nil {
			return err
		}
		return m.checkFilter(o.targetOptions)
	})
	if err != nil {
		return err
	}
	customers, left, err := leftoversOf(m).stateCustomers(ctx, o.customer)
	if err != nil {
		return err
	}
	states, err := statesOf(m).list(ctx, customers, left, o.targetOptions)
	if err != nil {
		return err
	}
	if len(states) == 0 && o.filters() {
		return m.nothingFits(o.targetOptions)
	}
	if o.json {
		err = a.printJSON(states)
	} else {
		err = a.printStates(states)
	}
	return errors.Join(err, unreadStates(states))
}

func (a *App) printStates(states []targetState) error {
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "TARGET\tSIZE\tSERIAL\tCHANGED\tLOCK\tSTATE")
	for _, s := range states {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", s.name(), s.size(), s.serial(), s.changed(), s.lock(), render.TerminalLine(s.Place))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	a.printUnregistered(states)
	a.printLeft(states)
	for _, s := range states {
		if s.Unread != "" {
			fmt.Fprintf(a.Out, "\nUNREAD %s: %s\n", s.name(), render.TerminalLine(s.Unread))
		}
		if s.LockDamaged != nil {
			fmt.Fprintf(a.Out, "\nLOCK %s: the record of the lock is damaged (%s)\n→ when you know that no process works on the state, remove %s\n", s.Target,
				render.TerminalLine(s.LockDamaged.Why), render.TerminalLine(s.LockDamaged.Place))
		}
		if s.Lost != nil {
			fmt.Fprintf(a.Out, "\nLOST %s: %s\n→ %s\n", s.Target, render.TerminalLine(s.Lost.Why), s.Lost.Operator())
		}
	}
	return nil
}

func (a *App) stateShow(ctx context.Context, o stateOptions) error {
	m, c, t, err := a.onStoredTarget(ctx, o.targetOptions)
	if err != nil {
		return err
	}
	if o.log || o.request != "" {
		return logsOf(m).show(ctx, c, t, o)
	}
	state, err := statesOf(m).target(ctx, c, t)
	if err != nil {
		return err
	}
	if o.json {
		return a.printJSON(state)
	}
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{{"target", t.String()}, {"state", render.TerminalLine(state.Place)}, {"size", state.size()}, {"serial", state.serial()},
		{"lineage", render.TerminalLine(state.Lineage)}, {"changed", state.changed()}, {"lock", state.lock()}} {
		fmt.Fprintf(w, "%s\t%s\n", line[0], line[1])
	}
	if err := statesOf(m).printHolders(ctx, w, state); err != nil {
		return err
	}
	if state.Left != "" {
		fmt.Fprintf(w, "left\t%s\n", render.TerminalLine(state.Left))
	}
	if state.Lost != nil {
		fmt.Fprintf(w, "lost\t%s\nrestore\t%s\n", render.TerminalLine(state.Lost.Why), state.Lost.Restore())
	}
	for _, request := range state.Kept {
		fmt.Fprintf(w, "kept\tmetapipe state recover %s --request %s\n", t.Flags(), request)
	}
	return w.Flush()
}
