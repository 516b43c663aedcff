package cli

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/render"
)

type reindexOptions struct {
	directories
	customer  string
	within    time.Duration
	fix, json bool
}

func newStateReindexCmd(app *App) *cobra.Command {
	var o reindexOptions
	cmd := &cobra.Command{
		Use:   "reindex",
		Short: "Build the indexes of the store again from the records of the requests",
		Long: `reindex compares the indexes of the store with the records of the requests: the queue of
each target, the requests of each pull request and commit, and the open requests. With
--fix it writes the entries that are missing, and removes those that belong to no request.
Without --fix it changes nothing, and ends with exit code 6 when something is missing or
does not belong there.

It verifies every record. It lists a record that was changed, or that no key at hand opens,
enters nothing for it, and fails (exit code 1).

A request is open if one of its plans or applies has not ended, or was stopped and may have
left a lock. The next sweep drops such an entry if its run is over. Whether the end of a
request was reported to its customer, only a lost entry knew. --ended-within enters the
requests that ended within this time once more, and the next sweep reports them again: it
writes what GitHub does not have.

A verdict about the order of two pushes within ten minutes comes from the result of the
plan that was superseded. Where no plan was, reindex lists the two as "doubt".

It overwrites nothing, so it can be stopped, run again, and run beside any request.

Environment: METAPIPE_KEY. AWS: a role with the policy that bootstrap state prints for
rekey.`,
		Example: "  metapipe state reindex\n  metapipe state reindex --customer example-customer --fix",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.reindex(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "only this customer `NAME`")
	cmd.Flags().DurationVar(&o.within, "ended-within", 0, "also enter requests that ended within this `DURATION`, such as 24h, as open")
	cmd.Flags().BoolVar(&o.fix, "fix", false, "write what is missing, and remove what belongs to no request")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *App) reindex(ctx context.Context, o reindexOptions) error {
	o.only = o.customer
	m, err := a.openManagerAfter(ctx, o.directories, func(*manager) error {
		if err := within("ended-within", o.within, 0, pipeline.LongestRun); err != nil {
			return err
		}
		return checkStoredName(o.customer)
	})
	if err != nil {
		return err
	}
	r := &recovery.Reindexer{Store: m.store, Sealer: m.sealer, Now: a.Now, EndedWithin: o.within}
	names := []pipeline.CustomerName{pipeline.CustomerName(o.customer)}
	if o.customer == "" {
		names, err = r.Customers(ctx)
	} else {
		_, _, err = leftoversOf(m).stateCustomers(ctx, o.customer)
	}
	if err != nil {
		return err
	}
	result, stopped := r.Run(ctx, names, o.fix)
	if o.json {
		err = a.printJSON(result)
	} else {
		err = a.printReindex(result)
	}
	if err = errors.Join(stopped, err); err != nil {
		return err
	}
	return a.reindexEnd(result, o.fix)
}

func (a *App) printReindex(r recovery.ReindexResult) error {
	if len(r.Entries) > 0 {
		var steps longSteps
		w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "ENTRY\tSTATE\tNEXT")
		for _, e := range r.Entries {
			next := e.Next
			if e.Error != "" {
				next = e.Error + "\n→ " + next
			}
			fmt.Fprintf(w, "%s\t%s\t%s\n", render.TerminalLine(e.Key), e.State, steps.cell(next))
		}
		if err := errors.Join(w.Flush(), steps.print(a.Out)); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(a.Out, "%d requests verified, %d entries in place, %d missing, %d written, %d stale, %d removed\n", r.Requests, r.Present,
		r.Count(recovery.IndexMissing), r.Count(recovery.IndexWritten), r.Count(recovery.IndexStale), r.Count(recovery.IndexRemoved))
	return err
}

// reindexEnd is how a reindex ends: what people have to look at is no failure of --fix.
func (a *App) reindexEnd(r recovery.ReindexResult, fix bool) error {
	if bad := r.Count(recovery.IndexTampered, recovery.IndexUnknown); bad > 0 {
		return &pipeline.FailedError{Message: fmt.Sprintf("%d records cannot be verified, and nothing was entered for them", bad), Next: "the list names each and says what to do"}
	}
	if r.Requests == 0 && len(r.Entries) == 0 {
		return pipeline.Usagef("the store has no record of a request").
			Nextf("name the store that the workflows use, with --store, %s or `state` in %s", envBucket, config.ManagerFile)
	}
	if !fix && len(r.Entries) > 0 {
		a.logf("nothing was changed: `metapipe state reindex --fix` writes what is missing")
		return findingsError{count: len(r.Entries)}
	}
	return nil
}
