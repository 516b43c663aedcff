package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/publish"
	"github.com/metapipe/metapipe/pkg/pipeline/sweep"
	"github.com/metapipe/metapipe/pkg/render"
)

type fetchOptions struct {
	directories
	customer, environment, stack, commit, mode, confirm string
}

func newFetchVarsCmd(app *App) *cobra.Command {
	var o fetchOptions
	cmd := &cobra.Command{
		Use:   "fetch-vars",
		Short: "Prove where a request comes from and read its variables.yml (manager's workflow)",
		Long: `fetch-vars is the manager's first step. It derives everything that the payload
says again from GitHub, proves the origin, reads variables.yml at the commit,
checks it, writes the request into the store and posts "pending" on the commit. The
report that follows adds the statuses of the targets.

Where metapipe.yml has properties, the custom properties of the repository narrow the
request: its stacks, the version of the tool, an approval of each apply, its regions.
What cannot be read or used rejects it with the reason properties; see
docs/CUSTOM-PROPERTIES.md.

With --customer it makes a request of its own instead of reading a payload: an
operator's request for the head of the customer's default branch, or --commit.

With --mode destroy the request ends one environment: it plans the destroy of all that
is in its state, with the variables that were applied last, and waits for an approval
like any apply. Name the target in --customer, --environment and, where stacks have
names, --stack, and once more in --confirm. No payload can ask for it.

An older request that waits for an approval of the same target is superseded: its
plan is taken out of use, its run is cancelled, and its statuses are closed. An
apply that has begun is left alone. A request that is superseded itself (its pull
request has moved on, or the branch of its merge queue is gone) gets its status and
ends with exit code 0: there is nothing left to do.

Environment: SOURCE_REPOS_PAT (customers: contents, pull requests, actions,
deployments read; statuses write) or METAPIPE_APP_ID and METAPIPE_APP_PRIVATE_KEY, METAPIPE_KEY,
GITHUB_TOKEN (own repository: actions write, contents read).
Outputs: request-id, customer, mode, targets and applies (JSON arrays of environments, or
of environment/stack, in the order of deployment), outcome, reason.`,
		Example: "  metapipe fetch-vars --customer example-customer --mode plan\n" +
			"  metapipe fetch-vars --customer example-customer --environment staging --mode destroy --confirm example-customer/staging",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return app.fetchVars(cmd.Context(), o) },
	}
	o.flags(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "make a request for this customer `NAME` instead of reading the event")
	cmd.Flags().StringVar(&o.environment, "environment", "", "with --customer: only this environment `NAME`")
	cmd.Flags().StringVar(&o.stack, "stack", "", "with --customer: only this stack `NAME`; with --mode destroy needed where metapipe.yml names stacks")
	cmd.Flags().StringVar(&o.commit, "commit", "", "with --customer: this commit `SHA` of the default branch")
	cmd.Flags().StringVar(&o.mode, "mode", "apply", "with --customer: `MODE` apply, plan, dry-run or destroy")
	cmd.Flags().StringVar(&o.confirm, "confirm", "", "with --mode destroy: the `TARGET` once more, as customer/environment or customer/environment/stack")
	return cmd
}

func (a *App) fetchVars(ctx context.Context, o fetchOptions) error {
	event, err := a.fetchEvent(o)
	if err != nil {
		return err
	}
	var in intake.FetchInput
	o.tokens, o.mayBeFirst = []string{envSourceToken}, true
	m, err := a.openManagerAfter(ctx, o.directories, func(m *manager) (err error) {
		in, err = fetchingOf(m).input(ctx, o, event)
		return err
	})
	if err != nil {
		return err
	}
	client, err := m.github.clientFor(envSourceToken, grantFetch)
	if err != nil {
		return err
	}
	verifier, err := actions.NewVerifier(cmp.Or(m.config.Manager.Issuer, actions.Issuer(m.context.ServerURL)), nil)
	if err != nil {
		return err
	}
	if err := fetchingOf(m).runCreated(ctx, &in); err != nil {
		return err
	}
	f := &intake.FetchVars{GitHub: client, Customers: m.config, Store: m.store, Sealer: m.sealer, Parse: m.parse,
		Overlap: config.VersionsOverlap, Verify: verifier.Verify, Status: render.Renderer{}.Status, Now: a.Now, Logf: a.logf}
	if err := fetchingOf(m).superseding(f, client); err != nil {
		return err
	}
	request, err := f.Run(ctx, in)
	result := fetchingOf(m).result(request, err)
	if rejected, ok := err.(*pipeline.RejectedError); ok && rejected.Reason == pipeline.ReasonSuperseded && request.ID != "" { //nolint:errorlint // nothing but that has happened
		a.logf("%v", rejected) // an ordinary end: a newer commit carries on
		err = nil
	}
	return errors.Join(err, result)
}

// fetching prepares and ends fetch-vars.
type fetching struct{ *manager }

func fetchingOf(m *manager) fetching { return fetching{m} }

// superseding lets fetch-vars end the runs of older requests. A laptop has none.
func (m fetching) superseding(f *intake.FetchVars, source *github.Client) error {
	f.Close = func(ctx context.Context, old pipeline.Request) error {
		c, err := m.customer(string(old.Customer))
		if err != nil {
			return err
		}
		return m.closeRequest(ctx, source, sweep.CloseRequest{Customer: c, Request: old})
	}
	if m.app.getenv(envOwnToken) == "" {
		return nil
	}
	own, err := m.github.client(envOwnToken)
	if err == nil {
		f.Runs, f.Own = own, own
	}
	return err
}

// closeRequest reports on a request for the last time.
func (m fetching) closeRequest(ctx context.Context, source *github.Client, c sweep.CloseRequest) error {
	_, _, err := reportingOf(m.manager).reporter(source).Run(ctx, publish.ReportInput{
		Manager:   m.slug(ctx),
		Customer:  c.Customer,
		Request:   c.Request.ID,
		Final:     true,
		Cancelled: c.Cancelled,
		Unseen:    c.Unseen,
		Run:       m.run(),
	})
	return err
}

// departed is a customer that only the record of a request knows: the rules are those
// that metapipe.yml has for everybody, and no more is shown than the strictest level
// allows, since the customer's own level is not known.
func (m fetching) departed(request pipeline.Request) pipeline.Customer {
	rules := m.config.Manager
	rules.Redaction = pipeline.RedactionSummary
	return pipeline.Customer{Name: request.Customer, File: "the record of request " + request.ID.Short(), Repository: request.Repository.Slug, RepositoryID: request.Repository.ID,
		Path: path.Dir(request.File), Root: config.DefaultRoot, SharedRepository: request.SharedRepository, Manager: rules}
}

// fetchEvent checks all that needs neither the store nor GitHub: the flags, the kind of
// the event and its file. It is zero on a laptop.
func (a *App) fetchEvent(o fetchOptions) (pipeline.Event, error) {
	s, err := a.newStep()
	if err != nil {
		return pipeline.Event{}, err
	}
	mode, err := pipeline.ParseManualMode(o.mode)
	if err != nil {
		return pipeline.Event{}, unknownMode(o.mode, err)
	}
	if o.customer == "" && (mode == pipeline.ModeDestroy || o.confirm != "") {
		return pipeline.Event{}, pipeline.Usagef("a destroy is a request of the manager's own, and no customer is named").
			Nextf("name the target with --customer and --environment")
	}
	if o.commit != "" {
		if _, err := pipeline.ParseSHA(o.commit); err != nil {
			return pipeline.Event{}, pipeline.Usagef("--commit").Because(err)
		}
	}
	if kind := s.context.EventName; o.customer == "" && kind != "repository_dispatch" {
		message := "there is no repository_dispatch event to read"
		if kind != "" {
			message += fmt.Sprintf(": this run was started by %.40q", kind)
		}
		return pipeline.Event{}, pipeline.Usagef("%s", message).
			Nextf("run it in the manager's workflow, or name a customer with --customer")
	}
	if !s.context.InActions {
		return pipeline.Event{}, nil
	}
	return actions.LoadEvent(s.context)
}

func (m fetching) input(ctx context.Context, o fetchOptions, event pipeline.Event) (intake.FetchInput, error) {
	in := intake.FetchInput{Event: event, Run: m.run(), Manager: m.slug(ctx), ManagerCommit: m.commit(ctx)}
	if o.customer == "" {
		return in, nil
	}
	manual, err := manualRequest(o, m.manager)
	if err != nil {
		return in, err
	}
	in.Manual = manual
	return in, in.CheckDestroy()
}

// runCreated asks GitHub when this run was created: a run may wait in a queue
// for longer than a signature lives. Without a token of our own the clock of
// this machine has to do. A payload that is none is rejected without asking.
func (m fetching) runCreated(ctx context.Context, in *intake.FetchInput) error {
	if m.app.getenv(envOwnToken) == "" || !m.context.InActions {
		return nil
	}
	if in.Manual == nil {
		if _, err := pipeline.ParsePayload(in.Event.Payload); err != nil {
			return nil //nolint:nilerr // FetchVars says so
		}
	}
	client, err := m.github.client(envOwnToken)
	if err != nil {
		return err
	}
	run, err := client.WorkflowRun(ctx, m.context.Repository, m.context.RunID)
	if err != nil {
		return err
	}
	in.Run.CreatedAt, in.Requesters = run.CreatedAt, run.Requesters()
	return nil
}

func manualRequest(o fetchOptions, m *manager) (*intake.ManualRequest, error) {
	c, err := m.customer(o.customer)
	if err != nil && o.mode == string(pipeline.ModeDestroy) {
		return nil, pipeline.Usagef("mode destroy works on a registered customer").Because(err).
			Nextf("put the customer's file back into customers/ until all of its environments are destroyed; see docs/ENDING.md")
	}
	if err != nil {
		return nil, err
	}
	ask := &intake.ManualRequest{Customer: c.Name, Confirm: o.confirm, Actor: cmp.Or(m.context.TriggeringActor, m.context.Actor)}
	if ask.Mode, err = pipeline.ParseManualMode(o.mode); err != nil {
		return nil, unknownMode(o.mode, err)
	}
	if o.environment != "" {
		if ask.Environment, err = m.environment("environment", o.environment); err != nil {
			return nil, err
		}
	}
	if o.stack != "" {
		if _, declared := m.config.Manager.Stack(pipeline.StackName(o.stack)); !declared {
			return nil, m.noStack(o.stack)
		}
		if _, err := stackOf(c, o.stack); err != nil && ask.Mode != pipeline.ModeDestroy { // which may end what the customer's file has left out
			return nil, err
		}
		ask.Stack = pipeline.StackName(o.stack)
	}
	if o.commit != "" {
		if ask.Commit, err = pipeline.ParseSHA(o.commit); err != nil {
			return nil, pipeline.Usagef("--commit").Because(err)
		}
	}
	return ask, nil
}

func (m fetching) result(r pipeline.Request, cause error) error {
	outcome, reason := pipeline.OutcomeRequested, pipeline.Reason("")
	var rejected *pipeline.RejectedError
	switch {
	case errors.As(cause, &rejected):
		if outcome, reason = pipeline.OutcomeRejected, rejected.Reason; reason == pipeline.ReasonSuperseded {
			outcome = pipeline.OutcomeSuperseded
		}
	case cause != nil:
		outcome = pipeline.OutcomeFailed
	}
	targets, applies := []string{}, []string{}
	for _, t := range r.Targets {
		targets = append(targets, t.Name())
		if r.Applies(t.Target) {
			applies = append(applies, t.Name())
		}
	}
	targetsJSON, err := json.Marshal(targets)
	if err != nil {
		return err
	}
	appliesJSON, err := json.Marshal(applies)
	if err != nil {
		return err
	}
	return m.outputs("request-id", string(r.ID), "customer", string(r.Customer), "mode", string(r.Mode),
		"targets", string(targetsJSON), "applies", string(appliesJSON), "outcome", string(outcome), "reason", string(reason))
}
