package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/fleet"
)

type driftOptions struct {
	directories
	customers, environments []string
	stale, changed          time.Duration
	list, summary, resume   bool
	shards, shard, workers  int
	scan, failOn            string
	remediate, json         bool
	issues                  int
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

Alone it scans everything on this machine. On several machines it takes three steps:
--list begins a scan and shares its targets out to shards; --scan ID --shard N looks
at one of them; --scan ID --summary collects what all found. A scan that was
interrupted goes on with --resume, or with --scan ID. metapipe.yml says under
"drift" what is done about each kind, and what is ignored until when.

With --remediate a request to apply is started for each target that needs one, in
the environments that "drift.remediate" names. It is planned, gated and applied as any
other; nothing is applied by the scan. A target with a lost state is never remediated:
restore the state first (state restore).

With --issues N each target that differs has one issue in the customer's repository,
for the kinds that metapipe.yml says so: opened, edited when something else differs,
opened again, and closed with a comment, also when a customer or one of its environments
is not registered any more. An error or a lost shard changes none. After N writes the
rest waits for the next scan. A label such as drift-snooze-2030-01-31 on
an issue leaves it alone until the end of that day.

Environment: METAPIPE_KEY; SOURCE_REPOS_PAT (customers: contents read; with --issues,
issues write). Without it, outside of Actions, what was applied last is compared.
GITHUB_TOKEN (actions write) for --remediate. METAPIPE_TOOL, as for plan.
Outputs: scan, targets, shards (a JSON list for a matrix), clean, found, lost, errors.`,
		Example: `  metapipe drift --customer example-customer
  metapipe drift --list --shards 20
  metapipe drift --scan 20300102T030405.678Z-0a1b2c3d --shard 1`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return app.drift(cmd.Context(), o) },
	}
	o.flags(cmd)
	o.runFlag(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&o.customers, "customer", nil, "only this customer `NAME`; may be given again")
	f.StringArrayVar(&o.environments, "environment", nil, "only this environment `NAME`; may be given again")
	f.DurationVar(&o.stale, "stale", 0, "only targets that no scan has looked at for this `DURATION`, or without success")
	f.DurationVar(&o.changed, "changed-since", 0, "only targets that were asked for or applied within this `DURATION`, such as 24h")
	f.BoolVar(&o.list, "list", false, "begin a scan and print its shards as JSON, without looking")
	f.IntVar(&o.shards, "shards", 16, "with --list: at most `N` shards, up to 256")
	f.StringVar(&o.scan, "scan", "", "go on with the scan `ID` that --list began")
	f.IntVar(&o.shard, "shard", 0, "with --scan: look at shard `N` only, and sum nothing up")
	f.BoolVar(&o.summary, "summary", false, "with --scan: look at nothing, collect what the shards found")
	f.BoolVar(&o.resume, "resume", false, "go on with the newest scan that was interrupted")
	f.IntVar(&o.workers, "workers", 0, "look at `N` targets at once (default: by processors and free memory)")
	f.StringVar(&o.failOn, "fail-on", "drift", "`WHEN` to exit with code 6: drift (or lost states or errors), error (or lost states) or none")
	f.BoolVar(&o.remediate, "remediate", false, "start requests to apply where metapipe.yml allows it")
	f.IntVar(&o.issues, "issues", 0, "write at most `N` times to issues in customers' repositories")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

// maxIssueWrites is above what GitHub lets one token write in two hours.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
const maxIssueWrites = 1000

// check refuses flags that do not go together.
func (o driftOptions) check() error {
	bad := func(message, next string) error { return &pipeline.UsageError{Message: message, Next: next} }
	filtered := len(o.customers) > 0 || len(o.environments) > 0 || o.stale != 0 || o.changed != 0
	switch {
	case o.failOn != "drift" && o.failOn != "error" && o.failOn != "none":
		return bad(fmt.Sprintf("--fail-on %q", o.failOn), "use drift, error or none")
	case o.list && (o.scan != "" || o.resume || o.summary || o.shard != 0):
		return bad("--list begins a scan of its own", "leave out --scan, --resume, --shard and --summary")
	case o.resume && o.scan != "":
		return bad("--resume and --scan name two scans", "leave one of them out")
	case (o.summary || o.shard != 0) && o.scan == "":
		return bad("--shard and --summary need --scan", "pass the output `scan` of drift --list")
	case o.summary && o.shard != 0:
		return bad("--summary is of all shards", "leave out --shard")
	case (o.scan != "" || o.resume) && filtered:
		return bad("the targets of a scan are chosen when it begins", "give --customer, --environment, --stale and --changed-since to drift --list, or alone")
	case o.shard < 0 || o.workers < 0 || o.workers > 256 || o.stale < 0 || o.changed < 0 || o.issues < 0 || o.issues > maxIssueWrites:
		return bad("--shard, --stale, --changed-since, --workers and --issues cannot be negative; --workers is 256 at most, and --issues 1000", "")
	case o.issues > 0 && (o.list || o.shard != 0):
		return bad("--issues comes with the summary of a scan", "leave out --list and --shard")
	case o.remediate && (o.list || o.shard != 0):
		return bad("--remediate comes with the summary of a scan", "leave out --list and --shard")
	}
	return nil
}

// filter reads the flags that choose targets. What is not registered is a mistake,
// and not a scan of nothing.
func (o driftOptions) filter(m *manager) (fleet.Filter, error) {
	f := fleet.Filter{Stale: o.stale, ChangedWithin: o.changed}
	for _, s := range o.customers {
		c, err := m.customer(s)
		if err != nil {
			return f, err
		}
		f.Customers = append(f.Customers, c.Name)
	}
	for _, s := range o.environments {
		env, err := m.environment("environment", s)
		if err != nil {
			return f, err
		}
		f.Environments = append(f.Environments, env)
	}
	return f, nil
}

func (a *App) drift(ctx context.Context, o driftOptions) error {
	if err := o.check(); err != nil {
		return err
	}
	o.tokens, o.actionsTokens = o.needs()
	o.reads = true
	var filter fleet.Filter
	m, err := a.openManagerAfter(ctx, o.directories, func(m *manager) (err error) {
		if filter, err = o.filter(m); err != nil {
			return err
		}
		return m.driftWrites(ctx, o)
	})
	if err != nil {
		return err
	}
	scans := drift.Scans(m.store, m.sealer, a.Now)
	switch {
	case o.resume:
		o.scan, err = scans.Unfinished(ctx)
	case o.scan == "":
		shards := 1
		if o.list {
			shards = o.shards
		}
		var listing fleet.Listing
		listing, err = scans.List(ctx, fleet.ListInput{Manager: m.slug(ctx), ManagerCommit: m.commit(ctx), Customers: m.config.Customers, Filter: filter, Shards: shards})
		o.scan = listing.Scan
		if err == nil && o.list {
			return m.driftList(listing)
		}
	}
	if err != nil {
		return err
	}
	if !o.summary {
		if err := m.driftScan(ctx, o); err != nil || o.shard != 0 {
			return err
		}
	}
	return m.driftSummary(ctx, o)
}

// needs are the tokens of a drift: always, and in Actions. A scan may take hours before
// the first write.
func (o driftOptions) needs() (always, inActions []string) {
	if o.remediate {
		always = append(always, envOwnToken)
	}
	if o.issues > 0 {
		return append(always, envSourceToken), nil
	}
	if !o.list && !o.summary {
		inActions = append(inActions, envSourceToken)
	}
	return always, inActions
}

// driftWrites looks whether --remediate and --issues can be meant, before a scan that
// may take hours.
func (m *manager) driftWrites(ctx context.Context, o driftOptions) error {
	if (o.remediate || o.issues > 0) && m.slug(ctx) == localManager {
		return &pipeline.UsageError{Message: "--remediate and --issues need the manager's repository on GitHub, and " + m.dir + " has no remote origin", Next: "run it in a clone of that repository"}
	}
	if o.remediate && len(m.config.Manager.Drift.Remediate) == 0 {
		m.app.logf("--remediate starts nothing: drift.remediate in %s names no environment", config.ManagerFile)
	}
	return nil
}

// driftList gives the workflow its matrix.
func (m *manager) driftList(listing fleet.Listing) error {
	shards, err := json.Marshal(listing.Shards)
	if err != nil {
		return err
	}
	return errors.Join(m.app.printJSON(listing), m.outputs("scan", listing.Scan, "targets", strconv.Itoa(listing.Targets), "shards", string(shards)))
}

// driftScan looks at the targets of a scan that are left.
func (m *manager) driftScan(ctx context.Context, o driftOptions) error {
	dir, remove, err := m.workDir(o.directories, "drift")
	if err != nil {
		return err
	}
	defer remove()
	workers := o.workers
	if workers == 0 {
		workers = defaultWorkers()
	}
	progress := newDriftProgress(m.app, m.context.InActions)
	// Where the summary follows at once, each target is printed there.
	progress.silent = o.shard == 0 && !m.context.InActions && !o.json
	scanner := &drift.Scanner{Store: m.store, Sealer: m.sealer, Engine: m.fleet(dir), Parse: m.parse, Now: m.app.Now, Logged: progress.lastLine}
	if m.app.getenv(envSourceToken) != "" || m.app.getenv(envAppID) != "" || m.context.InActions {
		client, err := m.clientFor(envSourceToken, grantScan)
		if err != nil {
			return err
		}
		scanner.GitHub = client
	} else {
		m.app.logf("%s is not set: comparing what was applied last, and not what customers want now", envSourceToken)
	}
	m.app.logf("scan %s, %d at once", o.scan, workers)
	err = scanner.Run(ctx, drift.ScanInput{Scan: o.scan, Shard: o.shard, Workers: workers, Customers: m.config.Customers, ManagerDir: m.dir, Dir: dir, Backend: m.backend})
	return errors.Join(err, progress.end())
}

// driftSummary collects what was found, reports it, and starts what is asked for.
func (m *manager) driftSummary(ctx context.Context, o driftOptions) error {
	scan, err := drift.Summarize(ctx, drift.Scans(m.store, m.sealer, m.app.Now), o.scan, m.config.Customers)
	if err != nil {
		return err
	}
	found, lost, failed := 0, 0, len(scan.Missing)
	for _, r := range scan.Results {
		switch {
		case slices.Contains(r.Kinds, pipeline.DriftLost):
			lost++
		case r.Failure != nil:
			failed++
		case !r.Clean():
			found++
		}
	}
	clean := len(scan.Results) + len(scan.Missing) - found - lost - failed
	issuesErr := m.driftIssues(ctx, &scan, o)
	err = errors.Join(issuesErr, m.driftReport(scan, o), m.outputs("scan", scan.ID, "targets", strconv.Itoa(len(scan.Results)+len(scan.Missing)),
		"clean", strconv.Itoa(clean), "found", strconv.Itoa(found), "lost", strconv.Itoa(lost), "errors", strconv.Itoa(failed)))
	if o.remediate {
		err = errors.Join(err, m.remediate(ctx, scan))
	}
	if err != nil {
		return err
	}
	if o.failOn != "none" && failed+lost > 0 || o.failOn == "drift" && found > 0 {
		return findingsError{count: found + lost + failed}
	}
	return nil
}

func (m *manager) remediate(ctx context.Context, scan drift.Scan) error {
	client, err := m.client(envOwnToken)
	if err != nil {
		return err
	}
	started, err := drift.Remediator{Store: m.store, Sealer: m.sealer, GitHub: client}.Run(ctx, m.slug(ctx), scan, m.config.Customers)
	for _, r := range started {
		if r.Started {
			m.app.logf("%s/%s: started a request to apply", r.Customer, r.Environment)
		} else {
			m.app.logf("%s/%s: no request started: %s", r.Customer, r.Environment, r.Reason)
		}
	}
	return err
}
