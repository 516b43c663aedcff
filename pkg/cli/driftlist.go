package cli

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/pipeline/scans"
)

// driftTargets are the flags that choose the targets of a scan.
type driftTargets struct {
	customers, environments, stacks []string
	stale, changed                  time.Duration
}

func (o *driftTargets) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringArrayVar(&o.customers, "customer", nil, "only this customer `NAME`; may be given again")
	f.StringArrayVar(&o.environments, "environment", nil, "only this environment `NAME`; may be given again")
	f.StringArrayVar(&o.stacks, "stack", nil, "only this stack `NAME`; may be given again")
	f.DurationVar(&o.stale, "stale", 0, "only targets that no scan has looked at for this `DURATION`, or without success")
	f.DurationVar(&o.changed, "changed-since", 0, "only targets that were asked for or applied within this `DURATION`, such as 24h")
}

func (o driftTargets) filtered() bool {
	return len(o.customers) > 0 || len(o.environments) > 0 || len(o.stacks) > 0 || o.stale != 0 || o.changed != 0
}

func (o driftTargets) check() error {
	if o.stale < 0 || o.changed < 0 {
		return pipeline.Usagef("--stale and --changed-since cannot be negative")
	}
	return nil
}

// filter reads the flags. What is not registered is a mistake, and not a scan of
// nothing. Whether the store has an environment that metapipe.yml does not, begin looks.
func (o driftTargets) filter(m *manager, store string) (scans.Filter, error) {
	f := scans.Filter{Stale: o.stale, ChangedWithin: o.changed}
	for _, s := range o.customers {
		if broken := driftOf(m).brokenFiles()[pipeline.CustomerName(s)]; broken != nil {
			return f, broken
		}
		c, err := m.customer(s)
		if err != nil {
			return f, err
		}
		f.Customers = append(f.Customers, c.Name)
	}
	for _, s := range o.environments {
		env, err := m.storedEnvironment(s, store)
		if err != nil {
			return f, err
		}
		f.Environments = append(f.Environments, env)
	}
	for _, s := range o.stacks {
		if err := m.checkFilter(targetOptions{directories: directories{store: store}, stack: s}); err != nil {
			return f, err
		}
		f.Stacks = append(f.Stacks, pipeline.StackName(s))
	}
	return f, nil
}

type driftListOptions struct {
	directories
	driftTargets
	shards int
}

func newDriftListCmd(app *App) *cobra.Command {
	var o driftListOptions
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Begin a drift scan and share its targets out to shards (manager)",
		Long: `list picks the targets, begins a scan and prints its id and its shards as JSON. It looks
at no target: drift scan does, one shard on each machine.

Environment: METAPIPE_KEY.
Outputs: scan, targets, shards (a JSON list for a matrix).`,
		Example: "  metapipe drift list --shards 20",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.driftList(cmd.Context(), o) },
	}
	o.directories.flags(cmd)
	o.driftTargets.flags(cmd)
	cmd.Flags().IntVar(&o.shards, "shards", 16, "at most `N` shards, up to 256")
	return cmd
}

// driftList begins a scan and prints to the workflow what its matrix is.
func (a *App) driftList(ctx context.Context, o driftListOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	var filter scans.Filter
	m, err := a.openDrift(ctx, o.directories, driftFindings{}, false, func(m *manager) (err error) {
		filter, err = o.filter(m, o.store)
		return err
	})
	if err != nil {
		return err
	}
	listing, err := driftOf(m).begin(ctx, filter, o.shards)
	if err != nil {
		return err
	}
	shards, err := json.Marshal(listing.Shards)
	if err != nil {
		return err
	}
	return errors.Join(a.printJSON(listing), m.outputs("scan", listing.Scan, "targets", strconv.Itoa(listing.Targets), "shards", string(shards)))
}

func (m driftStep) begin(ctx context.Context, filter scans.Filter, shards int) (scans.Listing, error) {
	in := scans.ListInput{Manager: m.slug(ctx), ManagerCommit: m.commit(ctx), Customers: m.listed(), Filter: filter, Shards: shards}
	asked := slices.DeleteFunc(slices.Clone(in.Customers), func(c pipeline.Customer) bool {
		return len(filter.Customers) > 0 && !slices.Contains(filter.Customers, c.Name)
	})
	var err error
	for _, left := range registry.LeftTargets(ctx, record.Records{Store: m.store, Sealer: m.sealer}, asked) {
		in.Left, err = append(in.Left, left.Targets...), errors.Join(err, left.Err)
	}
	if err != nil {
		return scans.Listing{}, err
	}
	for _, env := range filter.Environments {
		left := slices.ContainsFunc(in.Left, func(t pipeline.Target) bool { return t.Environment == env })
		if _, missing := m.environment("environment", string(env)); missing != nil && !left {
			return scans.Listing{}, missing
		}
	}
	for _, stack := range filter.Stacks {
		left := slices.ContainsFunc(in.Left, func(t pipeline.Target) bool { return t.Stack == stack })
		if _, declared := m.config.Manager.Stack(stack); !declared && !left {
			return scans.Listing{}, m.noStack(string(stack))
		}
	}
	return drift.Scans(m.store, m.sealer, m.app.Now).List(ctx, in)
}
