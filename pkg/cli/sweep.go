package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
	"github.com/metapipe/metapipe/pkg/render"
)

type sweepOptions struct {
	directories
	fix, json bool
}

func newSweepCmd(app *App) *cobra.Command {
	var o sweepOptions
	cmd := &cobra.Command{
		Use:   "sweep",
		Short: "Find requests that hang, and with --fix repair them (manager's schedule)",
		Long: `sweep checks every request that is still open. It finds:

  - requests without final statuses after the end of their run (a lost runner, a deleted run)
  - locks of runs that are dead
  - plans past their time, and superseded plans with a run that still waits
  - plans that a custom property of the repository does not allow any more
  - runs that wait for a reviewer for more than a day

It also finds applied targets in environments that metapipe.yml does not declare any more,
or that the customer's file does not allow any more.

With --fix it closes statuses, releases such locks by their exact id, takes plans
out of use and cancels their runs. It never touches an apply that goes on, nor a
lock that no run of metapipe has taken or that several may have taken. Without --fix
it changes nothing and ends with exit code 6 when it finds something.

No command accepts the record of a request that was changed in the store. Nothing is
written for such a request. The sweep that finds it with --fix fails once and names the
object.

Environment: SOURCE_REPOS_PAT (as report), METAPIPE_KEY, GITHUB_TOKEN (own
repository: actions write).`,
		Example: "  metapipe sweep\n  metapipe sweep --fix",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.sweep(cmd.Context(), o) },
	}
	o.flags(cmd)
	o.runFlag(cmd)
	cmd.Flags().BoolVar(&o.fix, "fix", false, "repair what can be repaired")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the findings as JSON")
	return cmd
}

func (a *App) sweep(ctx context.Context, o sweepOptions) error {
	o.tokens = []string{envOwnToken, envSourceToken}
	m, err := a.openManager(ctx, o.directories)
	if err != nil {
		return err
	}
	own, err := m.github.client(envOwnToken)
	if err != nil {
		return err
	}
	source, err := m.github.clientFor(envSourceToken, sweepGrants(o.fix))
	if err != nil {
		return err
	}
	result, stopped := reportingOf(m).sweeper(own, source, o.directories).Run(ctx, o.fix)
	if stopped != nil && ctx.Err() == nil {
		return stopped
	}
	err = m.summarize(render.Sweep(result))
	if o.json {
		err = errors.Join(err, a.printJSON(result))
	} else {
		_, printErr := fmt.Fprint(a.Out, render.SweepLines(result))
		err = errors.Join(err, printErr)
		if !o.fix && len(result.Findings) > 0 {
			a.logf("nothing was changed: `metapipe sweep --fix` repairs what can be repaired")
		}
	}
	if err = errors.Join(stopped, err); err != nil { // what was seen until then is reported
		return err
	}
	return sweepEnd(result, o.fix)
}

// sweepEnd is how a sweep ends: what people have to do is no failure of --fix.
func sweepEnd(result sweep.Result, fix bool) error {
	failed, tampered := 0, 0
	for _, f := range result.Findings {
		if f.Error != "" {
			failed++
		}
		if f.Kind == sweep.FindingTampered {
			tampered++
		}
	}
	switch {
	case tampered > 0 && fix: // once: the next sweep does not find them again
		return &pipeline.FailedError{
			Message: fmt.Sprintf("%d of %d findings are records that are not what was stored", tampered, len(result.Findings)),
			Next:    "the findings name the objects: find out who can write to the store",
		}
	case failed > 0:
		return &pipeline.FailedError{Message: fmt.Sprintf("%d of %d findings could not be looked at or repaired", failed, len(result.Findings)), Next: "the findings say why; the next sweep tries again"}
	case !fix && len(result.Findings) > 0:
		return findingsError{count: len(result.Findings)}
	}
	return nil
}

func (m reporting) sweeper(own, source *github.Client, p directories) *sweep.Sweeper {
	return &sweep.Sweeper{Store: m.store, Sealer: m.sealer, Runs: own, Customers: m.config, Registered: m.config.Customers, Locks: statesOf(m.manager), Now: m.app.Now,
		Manager: m.repository(), Departed: fetchingOf(m.manager).departed, Properties: source.RepositoryProperties, Overlap: config.VersionsOverlap,
		Close: func(ctx context.Context, closing sweep.CloseRequest) error {
			return fetchingOf(m.manager).closeRequest(ctx, source, closing)
		},
		Unlock: func(ctx context.Context, c pipeline.Customer, t pipeline.Target, request pipeline.RequestID, lockID string) error {
			dir, remove, err := m.workDir(p, string(c.Name), t.Part())
			if err != nil {
				return err
			}
			defer remove()
			engine, err := capable[pipeline.LockReleaser](m.manager, c, t.Stack, pipeline.CapabilityLocks)
			if err != nil {
				return err
			}
			unlocker := &sweep.Unlocker{Store: m.store, Locks: statesOf(m.manager), Engine: engine, Runs: own, Manager: m.repository(), Now: m.app.Now}
			_, err = unlocker.Run(ctx, sweep.UnlockInput{LockID: lockID, TargetInput: pipeline.TargetInput{Customer: c, Request: request, Environment: t.Environment, Stack: t.Stack,
				ManagerDir: m.dir, RunDir: dir, Backend: m.backend(t), Run: m.run(), Actor: "sweep", Log: m.app.Err}})
			return err
		},
	}
}
