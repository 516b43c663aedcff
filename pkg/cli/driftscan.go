package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
)

// driftChecks are the flags that say how targets are looked at.
type driftChecks struct {
	workers int // 0: by processors and memory
}

func (o *driftChecks) flags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&o.workers, "workers", 0, "look at `N` targets at once (default: by processors and free memory)")
}

func (o driftChecks) check() error {
	if o.workers < 0 || o.workers > 256 {
		return pipeline.Usagef("--workers cannot be negative, and is 256 at most")
	}
	return nil
}

type driftScanOptions struct {
	directories
	driftChecks
	shard int // 0: all
}

func newDriftScanCmd(app *App) *cobra.Command {
	var o driftScanOptions
	cmd := &cobra.Command{
		Use:   "scan ID",
		Short: "Look at the targets of a drift scan, or of one of its shards (manager)",
		Long: `scan looks at the targets of the scan ID that have no result yet, and keeps what it
finds in the store. ID is the output scan of drift list. Run again after an interruption,
it goes on where it stopped. drift summary collects the results.

Environment: METAPIPE_KEY; SOURCE_REPOS_PAT (customers: contents read). Without it,
outside of Actions, what was applied last is compared. METAPIPE_TOOL, as for plan.`,
		Example: "  metapipe drift scan 20300102T030405.678Z-0a1b2c3d --shard 1",
		Args:    scanID,
		RunE:    func(cmd *cobra.Command, args []string) error { return app.driftScan(cmd.Context(), o, args[0]) },
	}
	o.directories.flags(cmd)
	o.runFlag(cmd)
	o.driftChecks.flags(cmd)
	cmd.Flags().IntVar(&o.shard, "shard", 0, "look at shard `N` only")
	return cmd
}

// scanID asks for the id of a scan as the one argument.
func scanID(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return pipeline.Usagef("%s takes the id of one scan", cmd.CommandPath()).Nextf("pass the output `scan` of metapipe drift list")
}

func (a *App) driftScan(ctx context.Context, o driftScanOptions, id string) error {
	if err := o.check(); err != nil {
		return err
	}
	if o.shard < 0 {
		return pipeline.Usagef("--shard cannot be negative").Nextf("pass one of the output `shards` of metapipe drift list")
	}
	m, err := a.openDrift(ctx, o.directories, driftFindings{}, true, func(*manager) error { return nil })
	if err != nil {
		return err
	}
	in := drift.ScanInput{Scan: id, Shard: o.shard, Workers: o.workers}
	return driftOf(m).scan(ctx, o.directories, in, false)
}

// driftStep runs the steps of drift on an open manager.
type driftStep struct{ *manager }

func driftOf(m *manager) driftStep { return driftStep{m} }

// scan looks at the targets of a scan that are left; in names the scan, the shard
// and the workers. silent leaves the lines of targets to the summary.
func (m driftStep) scan(ctx context.Context, d directories, in drift.ScanInput, silent bool) error {
	dir, remove, err := m.workDir(d, "drift")
	if err != nil {
		return err
	}
	defer remove()
	if in.Workers == 0 {
		in.Workers = defaultWorkers()
	}
	progress := newDriftProgress(m.app, m.context.InActions)
	progress.silent = silent
	fleet := credentialsOf(m.manager).fleet(dir)
	scanner := &drift.Scanner{Store: m.store, Sealer: m.sealer, Engine: fleet, State: statesOf(m.manager).scanned(fleet), Parse: m.parse, Now: m.app.Now, Logged: progress.lastLine}
	if m.app.getenv(envSourceToken) != "" || m.app.getenv(envAppID) != "" || m.context.InActions {
		client, err := m.github.clientFor(envSourceToken, grantScan)
		if err != nil {
			return err
		}
		scanner.GitHub = client
	} else {
		m.app.logf("%s is not set: comparing what was applied last, and not what customers want now", envSourceToken)
	}
	m.app.logf("scan %s, %d at once", in.Scan, in.Workers)
	in.Customers, in.ManagerDir, in.Dir, in.Backend = m.config.Customers, m.dir, dir, m.backend
	in.Broken = m.brokenFiles()
	err = scanner.Run(ctx, in)
	return errors.Join(err, progress.end())
}
