package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

type driftOptions struct {
	directories
	driftTargets
	driftChecks
	driftFindings
	scan   string
	resume bool
}

func newDriftCmd(app *App) *cobra.Command {
	var o driftOptions
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Look for drift at every target of every customer (manager)",
		Long: `drift plans every target, read-only and without a lock, and distinguishes:

  drift    the infrastructure was changed outside of the tool
  pending  the customer's configuration is merged and was never applied
  manager  the manager's code changed since the last apply
  lost     the state is gone, older or another one than the last apply left
  error    the target could not be looked at: nothing is known about it

Alone it scans everything on this machine. On several machines it takes three steps.
drift list begins a scan and shares its targets out to shards. drift scan ID --shard N
plans one shard. drift summary ID collects the results of all. A scan that was
interrupted goes on with --resume, or with --scan ID, also after a summary that names
targets as not checked. Problems in the file of a customer are an error of that customer
alone. In metapipe.yml, "drift" sets what is done about each kind, and what is ignored
until when.

` + driftFindingsHelp + `
Environment: METAPIPE_KEY; SOURCE_REPOS_PAT (customers: contents read; with --issues,
issues write). Without it, outside of Actions, what was applied last is compared.
GITHUB_TOKEN (actions write) for --remediate. METAPIPE_TOOL, as for plan.
Outputs: scan, targets, clean, found, lost, errors.`,
		Example: `  metapipe drift --customer example-customer
  metapipe drift --resume`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return app.drift(cmd.Context(), o) },
	}
	o.directories.flags(cmd)
	o.runFlag(cmd)
	o.driftTargets.flags(cmd)
	o.driftChecks.flags(cmd)
	o.driftFindings.flags(cmd)
	cmd.Flags().StringVar(&o.scan, "scan", "", "go on with the scan `ID`, and begin none")
	cmd.Flags().BoolVar(&o.resume, "resume", false, "go on with the newest scan that was interrupted, and begin none")
	cmd.AddCommand(newDriftListCmd(app), newDriftScanCmd(app), newDriftSummaryCmd(app))
	return cmd
}

// check refuses flags that do not go together.
func (o driftOptions) check() error {
	switch {
	case o.resume && o.scan != "":
		return pipeline.Usagef("--resume and --scan name two scans").Nextf("leave one of them out")
	case (o.scan != "" || o.resume) && o.filtered():
		return pipeline.Usagef("the targets of a scan are chosen when it begins").
			Nextf("leave out --resume and --scan, or --customer, --environment, --stale and --changed-since")
	}
	return errors.Join(o.driftTargets.check(), o.driftChecks.check(), o.driftFindings.check())
}

// drift begins a scan or goes on with one, looks at all its targets and sums up.
func (a *App) drift(ctx context.Context, o driftOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	if len(o.customers) == 1 && !o.remediate && o.issues == 0 {
		o.only = o.customers[0] // a mistake in the file of another one stops nothing
	}
	var filter scans.Filter
	m, err := a.openDrift(ctx, o.directories, o.driftFindings, true, func(m *manager) (err error) {
		filter, err = o.filter(m, o.store)
		return err
	})
	if err != nil {
		return err
	}
	stored := drift.Scans(m.store, m.sealer, a.Now)
	switch {
	case o.resume:
		o.scan, err = stored.Unfinished(ctx)
	case o.scan == "":
		var listing scans.Listing
		listing, err = driftOf(m).begin(ctx, filter, 1)
		o.scan = listing.Scan
	}
	if err != nil {
		return err
	}
	// The summary follows at once, so each target is printed there.
	silent := !m.context.InActions && !o.json
	if err := driftOf(m).scan(ctx, o.directories, drift.ScanInput{Scan: o.scan, Workers: o.workers}, silent); err != nil {
		return err
	}
	return driftOf(m).sumUp(ctx, o.driftFindings, o.scan)
}

// openDrift opens the manager for a command of drift. What findings are written needs
// is looked for first: a scan may take hours before the first write. looks says that
// the command reads what customers want.
func (a *App) openDrift(ctx context.Context, d directories, f driftFindings, looks bool, check func(m *manager) error) (*manager, error) {
	if f.remediate {
		d.tokens = append(d.tokens, envOwnToken)
	}
	switch {
	case f.issues > 0:
		d.tokens = append(d.tokens, envSourceToken)
	case looks:
		d.actionsTokens = append(d.actionsTokens, envSourceToken)
	}
	d.tolerant = true
	return a.openManagerAfter(ctx, d, func(m *manager) error {
		for _, b := range m.broken {
			a.logf("%s/%s.yml has problems, so customer %s is not looked at:\n%v", config.CustomersDir, b.Name, b.Name, b.Problems)
		}
		if err := check(m); err != nil {
			return err
		}
		return f.meant(ctx, m)
	})
}

// meant looks whether --remediate and --issues can be meant.
func (o driftFindings) meant(ctx context.Context, m *manager) error {
	if (o.remediate || o.issues > 0) && m.slug(ctx) == localManager {
		return pipeline.Usagef("--remediate and --issues need the manager's repository on GitHub, and %s has no remote origin", m.dir).
			Nextf("run it in a clone of that repository")
	}
	if o.remediate && len(m.config.Manager.Drift.Remediate) == 0 {
		m.app.logf("--remediate starts nothing: drift.remediate in %s names no environment", config.ManagerFile)
	}
	return nil
}
