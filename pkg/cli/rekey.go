package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/recovery"
	"github.com/metapipe/metapipe/pkg/render"
)

type rekeyOptions struct {
	directories
	apply, json bool
}

func newRekeyCmd(app *App) *cobra.Command {
	var o rekeyOptions
	cmd := &cobra.Command{
		Use:   "rekey",
		Short: "Seal again what must last, after a change of METAPIPE_KEY",
		Long: `rekey lists the records in the store that an older key than the first one has sealed.
With --apply it seals those again that must last: the records of the last applies and
their variables, and the ledgers, also of customers that are not registered any more.
It lists what needs an older key until it ends, such as open requests, pushes of the last
twenty minutes and kept states, and says when only the first key is needed.

It overwrites and removes nothing, so it can be stopped, run again, and run beside an
apply. A record that no key at hand opens, or that was changed, is never sealed again
(exit code 1). Without --apply it changes nothing, and ends with exit code 6 while an
older key is needed. A record that is "unused" may stay as it is.

A rotation that AWS KMS makes by itself needs no rekey. A change to another key in
sealing_keys does, and so does a change from METAPIPE_KEY to KMS.

Environment: METAPIPE_KEY, the new key before the old one. AWS: a role with the policy
that bootstrap state prints for rekey; without --apply it needs no right to write.`,
		Example: "  metapipe rekey\n  metapipe rekey --apply",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.rekey(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().BoolVar(&o.apply, "apply", false, "seal again what must last")
	cmd.Flags().BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *App) rekey(ctx context.Context, o rekeyOptions) error {
	m, err := a.openManager(ctx, o.directories)
	if err != nil {
		return err
	}
	first, err := m.keys().first(ctx)
	if err != nil {
		return err
	}
	rekeyer := &recovery.Rekeyer{Store: m.store, First: first, All: m.sealer, Now: a.Now, Customers: m.config.Customers}
	result, stopped := rekeyer.Run(ctx, o.apply)
	if stopped == nil {
		stopped = statesOf(m).olderKeys(ctx, &result)
	}
	if o.json {
		err = a.printJSON(result)
	} else {
		err = a.printRekey(result, stopped == nil)
	}
	if err = errors.Join(stopped, err); err != nil {
		return err
	}
	return rekeyEnd(result)
}

// olderKeys adds the states whose secrets the tool has encrypted under an older key: only an
// apply encrypts them anew.
func (m states) olderKeys(ctx context.Context, result *recovery.RekeyResult) error {
	for _, c := range m.config.Customers {
		for _, t := range c.Targets() {
			engine, err := m.engineOf(c, t.Stack)
			if err != nil {
				return err
			}
			keeper, keeps := engine.(pipeline.KeyKeeper)
			if !keeps {
				continue
			}
			job := pipeline.Job{Customer: c, Environment: t.Environment, Stack: t.Stack, Backend: m.backend(t), Log: io.Discard}
			older, err := keeper.NeedsOlderKey(ctx, job)
			stored := recovery.RekeyRecord{Key: job.Backend.String(), State: recovery.RekeyWaits, Until: "the secrets in this state are encrypted anew by the next apply that changes something"}
			if err != nil {
				stored.State, stored.Error, stored.Until = recovery.RekeyUnknown, err.Error(), "add the key that it was encrypted under, or restore the state"
			}
			if older || err != nil {
				result.Records, result.Removable = append(result.Records, stored), false
				result.Checked++
			}
		}
	}
	return nil
}

// rekeyNext is what is next for a record, and why.
func rekeyNext(stored recovery.RekeyRecord) string {
	if stored.Error != "" && stored.State != recovery.RekeyUnused {
		return rekeyCause(stored) + "\n→ " + stored.Until
	}
	return stored.Until
}

// rekeyCause is why a record cannot be opened, without its key in the store: records with one
// cause have one step.
func rekeyCause(stored recovery.RekeyRecord) string {
	if i := strings.Index(stored.Error, "it needs the key with "); i >= 0 && stored.State == recovery.RekeyUnknown {
		return stored.Error[i:]
	}
	return stored.Error
}

func (a *App) printRekey(r recovery.RekeyResult, whole bool) error {
	if len(r.Records) > 0 {
		var steps longSteps
		w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "RECORD\tSTATE\tNEXT")
		for _, stored := range r.Records {
			fmt.Fprintf(w, "%s\t%s\t%s\n", render.TerminalLine(stored.Key), stored.State, steps.cell(rekeyNext(stored)))
		}
		if err := errors.Join(w.Flush(), steps.print(a.Out)); err != nil {
			return err
		}
	}
	if !whole {
		return nil
	}
	verdict := "the older keys are still needed"
	switch {
	case r.Checked == 0:
		verdict = "nothing shows that an older key can go"
	case r.Removable:
		verdict = "only the first key is needed: the older ones can go"
	}
	_, err := fmt.Fprintf(a.Out, "%d records checked, %d sealed again: %s\n", r.Checked, r.Count(recovery.RekeyDone), verdict)
	return err
}

func rekeyEnd(r recovery.RekeyResult) error {
	if bad := r.Count(recovery.RekeyUnknown) + r.Count(recovery.RekeyTampered); bad > 0 {
		return &pipeline.FailedError{Message: fmt.Sprintf("%d of %d records cannot be sealed again", bad, r.Checked), Next: "the list names each and says what to do"}
	}
	if r.Checked == 0 {
		return pipeline.Usagef("the store has no sealed record").
			Nextf("name the store that the workflows use, with --store, %s or `state` in %s", envBucket, config.ManagerFile)
	}
	if !r.Removable {
		return findingsError{count: len(r.Records) - r.Count(recovery.RekeyUnused)}
	}
	return nil
}
