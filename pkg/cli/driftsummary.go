package cli

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
)

// driftFindings are the flags that say what is done about findings.
type driftFindings struct {
	failOn          string
	remediate, json bool
	issues          int
}

const driftFindingsHelp = `--remediate starts a request to apply for each target that needs one, in the
environments that "drift.remediate" names. The request is planned, gated and applied as
any other; the scan applies nothing. A target with a lost state is never remediated:
restore the state first (state restore).

--issues N keeps one issue in the customer's repository for each target that differs, for
the kinds that metapipe.yml names. The issue is opened, edited when something else
differs, and opened again. It is closed with a comment, also when the customer or the
environment is not registered any more. An error or a lost shard changes no issue. After
N writes the rest waits for the next scan. A label such as drift-snooze-2030-01-31 leaves
an issue alone until the end of that day.
`

// maxIssueWrites is above what GitHub lets one token write in two hours.
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
const maxIssueWrites = 1000

func (o *driftFindings) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.failOn, "fail-on", "drift", "`WHEN` to exit with code 6: drift (or lost states or errors), error (or lost states) or none")
	f.BoolVar(&o.remediate, "remediate", false, "start requests to apply where metapipe.yml allows it")
	f.IntVar(&o.issues, "issues", 0, "write at most `N` times to issues in customers' repositories")
	f.BoolVar(&o.json, "json", false, "print JSON")
}

func (o driftFindings) check() error {
	switch {
	case o.failOn != "drift" && o.failOn != "error" && o.failOn != "none":
		return pipeline.Usagef("--fail-on %q", o.failOn).Nextf("%suse drift, error or none", pipeline.DidYouMean(o.failOn, []string{"drift", "error", "none"}))
	case o.issues < 0 || o.issues > maxIssueWrites:
		return pipeline.Usagef("--issues cannot be negative, and is 1000 at most")
	}
	return nil
}

type driftSummaryOptions struct {
	directories
	driftFindings
}

func newDriftSummaryCmd(app *App) *cobra.Command {
	var o driftSummaryOptions
	cmd := &cobra.Command{
		Use:   "summary ID",
		Short: "Collect what all shards of a drift scan found (manager)",
		Long: `summary collects what the shards of the scan ID found, prints it, and does about it what
its flags say. It looks at no target. ID is the output scan of drift list.

` + driftFindingsHelp + `
Environment: METAPIPE_KEY; SOURCE_REPOS_PAT (customers: issues write) for --issues;
GITHUB_TOKEN (actions write) for --remediate.
Outputs: scan, targets, clean, found, lost, errors.`,
		Example: "  metapipe drift summary 20300102T030405.678Z-0a1b2c3d --issues 300",
		Args:    scanID,
		RunE:    func(cmd *cobra.Command, args []string) error { return app.driftSummary(cmd.Context(), o, args[0]) },
	}
	o.directories.flags(cmd)
	o.driftFindings.flags(cmd)
	return cmd
}

func (a *App) driftSummary(ctx context.Context, o driftSummaryOptions, id string) error {
	if err := o.check(); err != nil {
		return err
	}
	m, err := a.openDrift(ctx, o.directories, o.driftFindings, false, func(*manager) error { return nil })
	if err != nil {
		return err
	}
	return driftOf(m).sumUp(ctx, o.driftFindings, id)
}

// sumUp collects what was found, reports it, and starts what is asked for.
func (m driftStep) sumUp(ctx context.Context, o driftFindings, id string) error {
	scan, err := drift.Summarize(ctx, drift.Scans(m.store, m.sealer, m.app.Now), id, m.config.Customers)
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
	issuesErr := m.writeIssues(ctx, &scan, o)
	err = errors.Join(issuesErr, m.print(scan, o), m.outputs("scan", scan.ID, "targets", strconv.Itoa(len(scan.Results)+len(scan.Missing)),
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

func (m driftStep) remediate(ctx context.Context, scan drift.Scan) error {
	client, err := m.github.client(envOwnToken)
	if err != nil {
		return err
	}
	started, err := drift.Remediator{Store: m.store, Sealer: m.sealer, GitHub: client}.Run(ctx, m.slug(ctx), scan, m.config.Customers)
	for _, r := range started {
		if r.Started {
			m.app.logf("%s: started a request to apply", r.Target)
		} else {
			m.app.logf("%s: no request started: %s", r.Target, r.Reason)
		}
	}
	return err
}
