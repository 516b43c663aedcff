package cli

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/render"
)

type reportOptions struct {
	directories
	customer, request      string
	applying, stack        string
	final, cancelled, json bool
}

func newReportCmd(app *App) *cobra.Command {
	var o reportOptions
	cmd := &cobra.Command{
		Use:   "report",
		Short: "Report the status of a request to the customer; always runs, safe to repeat (manager's workflow)",
		Long: `report reads the status of each target of a request from the store and writes it to
the customer's commit (statuses, deployments with the outputs), to the one comment
on the pull request, and to the job summary. It can run after any step and again:
what is written already is not written twice.

With --final it closes everything that is still open, since no later job will.
With --applying it reports that an apply begins, in the status of that environment
alone, for those who wait. It takes a plan out of use that a custom property does not
allow any more, and announces any other one in the store to "apply --await-report",
which runs beside it behind the same gate.
Without a request (an earlier step left none) it only explains in the summary.

What GitHub refuses to take now and each time (a locked conversation, an archived
repository, the 1,000th status of a commit) stands in the summary and in the
ledger, and is no failure: the request is closed all the same.

Environment: SOURCE_REPOS_PAT (customers: statuses, deployments and issues or pull
requests write) or METAPIPE_APP_ID and METAPIPE_APP_PRIVATE_KEY, METAPIPE_KEY.
Outputs: outcome (the state of the overall status), closed (true when nothing is left to
report, so that the workflow needs no --final).`,
		Example: "  metapipe report --customer example-customer --request \"$REQUEST\" --final",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.report(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME`; may be empty when fetch-vars found none")
	cmd.Flags().StringVar(&o.request, "request", "", "request `ID`; may be empty when fetch-vars accepted none")
	cmd.Flags().StringVar(&o.applying, "applying", "", "only report that the apply of `ENVIRONMENT` begins")
	cmd.Flags().StringVar(&o.stack, "stack", "", "with --applying: the stack `NAME`; can be left out where the customer has only one")
	cmd.Flags().BoolVar(&o.final, "final", false, "close what is still open: this is the last report of the run")
	cmd.Flags().BoolVar(&o.cancelled, "cancelled", false, "with --final: a job of the run was cancelled")
	cmd.Flags().BoolVar(&o.json, "json", false, "print the report as JSON")
	return cmd
}

// reporting builds what reports to customers.
type reporting struct{ *manager }

func reportingOf(m *manager) reporting { return reporting{m} }

// check checks as much of the flags as needs no store.
func (m reporting) check(o reportOptions) error {
	if o.customer == "" || o.request == "" {
		return nil
	}
	c, err := m.customer(o.customer)
	if err != nil {
		return err
	}
	if err := checkRequest(o.request); err != nil {
		return err
	}
	_, err = o.applyingTarget(c)
	return err
}

// applyingTarget is the target whose apply begins; the zero value where none does.
func (o reportOptions) applyingTarget(c pipeline.Customer) (t pipeline.Target, err error) {
	if o.applying == "" {
		return t, nil
	}
	env, err := pipeline.ParseEnvironment(o.applying)
	if err != nil {
		return t, pipeline.Usagef("--applying").Because(err)
	}
	stack, err := stackOf(c, o.stack)
	return pipeline.Target{Customer: c.Name, Environment: env, Stack: stack}, err
}

func (a *App) report(ctx context.Context, o reportOptions) error {
	if o.stack != "" && o.applying == "" {
		return pipeline.Usagef("--stack needs --applying").Nextf("leave --stack out: every other report is about all targets of the request")
	}
	if o.applying != "" && o.final {
		return pipeline.Usagef("--applying is the first report of a job and --final the last of the run").Nextf("use one of them")
	}
	o.mayBeFirst = o.customer == "" || o.request == "" // it explains only, and to the manager
	o.only = o.customer
	if !o.mayBeFirst {
		o.tokens = []string{envSourceToken}
	}
	m, err := a.openManagerAfter(ctx, o.directories, func(m *manager) error { return reportingOf(m).check(o) })
	if err != nil {
		return err
	}
	if o.customer == "" || o.request == "" {
		return reportingOf(m).nothing(ctx)
	}
	c, err := m.customer(o.customer)
	if err != nil {
		return err
	}
	id, err := targetFlagsOf(m).request(ctx, c, o.request)
	if err != nil {
		return err
	}
	client, err := m.github.clientFor(envSourceToken, reportGrants(o.applying))
	if err != nil {
		return err
	}
	in := publish.ReportInput{Manager: m.slug(ctx), Customer: c, Request: id, Final: o.final, Cancelled: o.cancelled, Run: m.run()}
	if in.Applying, err = o.applyingTarget(c); err != nil {
		return err
	}
	result, summary, err := reportingOf(m).reporter(client).Run(ctx, in)
	var none *pipeline.NoRequestError
	if errors.As(err, &none) { // fetch-vars puts out an id only after it has stored the request
		return errors.Join(pipeline.Usagef("%s", none.Error()).
			Nextf("use the store that fetch-vars used; until then the customer's statuses stay as they are"),
			m.summarize("### No report\n\nThe request is not in this store, so the customer's statuses stay as they are.\n"))
	}
	if summary == "" {
		return err
	}
	err = errors.Join(err, m.summarize(summary), m.outputs("outcome", string(result.Overall()), "closed", strconv.FormatBool(result.Closed)))
	if o.json {
		asked := m.github.budget()
		result.GitHub = &asked
		err = errors.Join(err, render.JSON(a.Out, result))
	} else if !m.context.InActions {
		_, printErr := fmt.Fprintln(a.Out, summary)
		err = errors.Join(err, printErr)
	}
	return err
}

// nothing explains a run that has no request: nothing is written to any
// customer's repo, since the origin was not verified.
func (m reporting) nothing(ctx context.Context) error {
	text := "### No request\n\nThis run accepted no request: fetch-vars did not get that far. Its log says why.\n"
	found, err := publish.FindRejected(ctx, m.store, m.sealer, m.run())
	if err == nil {
		text = render.Unverified(found)
	} else if !errors.Is(err, pipeline.ErrNotFound) {
		return err
	}
	m.app.logf("no request to report on")
	return errors.Join(m.summarize(text), m.outputs("outcome", "", "closed", "false"))
}

// reporter shows customers how a request stands.
func (m reporting) reporter(client *github.Client) *publish.Reporter {
	return &publish.Reporter{GitHub: client, Store: m.store, Sealer: m.sealer, Renderer: render.Renderer{}, Overlap: config.VersionsOverlap, Now: m.app.Now, Logf: m.app.logf}
}
