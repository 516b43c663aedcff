package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"time"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/variables"
)

type triggerOptions struct {
	customerDir, customer, manager, inbox, mode string
	path                                        pathFlag
	pickup, wait                                time.Duration
}

func newTriggerCmd(app *App) *cobra.Command {
	o := triggerOptions{path: pathFlag{text: config.DefaultPath}}
	cmd := &cobra.Command{
		Use:   "trigger",
		Short: "Ask the manager to plan or deploy this commit (customer's workflow)",
		Long: `trigger runs in the customer's workflow. It checks whether the change touches the
customer's path, checks variables.yml, and sends the request to the manager. It waits
until the manager has picked the request up; with --wait until the request has ended.

Pull requests and merge groups are planned; pushes and manual runs are applied as
far as the branch may. Of the pull request events only opened, reopened, synchronize
and ready_for_review ask for a plan. Runs for forks and Dependabot send nothing, and the
job succeeds. For Dependabot, trigger also sets a status: success if nothing under the
path changed, otherwise an error that says what to do. A change outside
the path posts success, so that a required check never hangs.
Running the job again goes on waiting for the same request while it is under way.

With content in metapipe.yml, trigger compares the files of the checkout with the
content type of the repository (property repo_content_type of the event) and posts the
status infra/content-type. Findings are warnings; enforce: true stops the request. A
repository that holds no infrastructure sends nothing, and the job succeeds.

Where the provider has an inbox, --inbox names it: the request is sent to that repository,
which forwards it, and is signed for the manager. The token is for the inbox then, and can
neither read the manager nor push to it. What metapipe.yml and the schema say is checked
here only if the inbox has copies of them; the manager checks in any case.

Reads: the event file, variables.yml and the names of all files in the checkout, the
manager's metapipe.yml and schema.
Environment: GITHUB_TOKEN (own repository: statuses write, deployments, contents
and pull requests read), MANAGER_REPO_PAT (manager or inbox: contents write) or
METAPIPE_APP_ID and METAPIPE_APP_PRIVATE_KEY of an App for that alone,
MANAGER_REPO_OWNER, MANAGER_REPO_NAME and MANAGER_INBOX.
--wait shows the stages as they pass. The manager reports nothing to the customer before
it has verified a request, so that one is picked up and verified at once
(--pickup-timeout). Then each environment is planned (within 2h), approved where it
is gated, and applied (within 6h of its beginning). Where a deadline passes or
the wait ends first, the message names the stage, the exit code is 5 and the request
goes on: a person may have to approve it.
Outputs: request-id, run-url, outcome, skipped, stage (what was waited for last:
picked-up, planned, approved, applied or end), ready (true: all that the change asks
for ended well; false: not, or a push has changes that are only planned; empty:
nothing was asked, as in a fork), setup (JSON: environment, or environment/stack →
ready, waiting or failed), outputs (JSON: environment, or environment/stack where
stacks have names → name → JSON text of the value).`,
		Example: "  metapipe trigger --wait 1h",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.trigger(cmd.Context(), o) },
	}
	cmd.Flags().StringVar(&o.customerDir, "customer-dir", "", "`DIR` of the customer checkout (default: the working directory)")
	cmd.Flags().Var(&o.path, "path", "`DIR` of variables.yml in the repository")
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME` in the manager; needed where the repository holds several customers")
	cmd.Flags().StringVar(&o.manager, "manager", "", "manager repository `OWNER/NAME` (env MANAGER_REPO_OWNER, MANAGER_REPO_NAME)")
	cmd.Flags().StringVar(&o.inbox, "inbox", "", "inbox repository `OWNER/NAME` that forwards requests to the manager (env MANAGER_INBOX; default: none)")
	cmd.Flags().StringVar(&o.mode, "mode", "apply", "`MODE`, how far to go at most: apply, plan or dry-run")
	cmd.Flags().DurationVar(&o.pickup, "pickup-timeout", 5*time.Minute, "`DURATION` that the manager may take to pick the request up")
	cmd.Flags().DurationVar(&o.wait, "wait", 0, "wait this `DURATION` for the end of the request and hand its outputs on")
	return cmd
}

func (a *App) trigger(ctx context.Context, o triggerOptions) error {
	s, err := a.newStep()
	if err != nil {
		return err
	}
	event, err := triggeringOf(s).event()
	if err != nil {
		return err
	}
	if err := event.CheckTrigger(); err != nil {
		return err
	}
	in, err := triggeringOf(s).input(o, event)
	own, ownErr := s.github.client(envOwnToken)
	_, look := paces(s.context.APIURL)
	t := &intake.Trigger{Own: own, Now: a.Now, Sleep: a.Sleep, MaxPause: look, Logf: a.logf,
		Directory: func() error { return variables.CheckDirectory(a.absolute(o.customerDir), in.Path) }}
	t.CheckContent = triggeringOf(s).assumedContent(in, a.absolute(o.customerDir))
	if sendsRequest(event) { // also beside an error: all that is missing is named at once
		if missing := triggeringOf(s).addSecrets(t, in, a.absolute(o.customerDir)); missing != nil {
			err = errors.Join(err, missing)
		}
	}
	if ownErr != nil { // without it no status can say anything
		return errors.Join(err, ownErr)
	}
	if err != nil {
		err = t.Unsent(ctx, in, err)
		return errors.Join(err, s.summarize(render.Renderer{}.Customer(render.CustomerJob{Err: err, Manager: in.Manager})))
	}
	result, err := t.Run(ctx, in)
	return errors.Join(err, triggeringOf(s).result(in, result, err))
}

// sendsRequest reports whether the run of an event needs the manager and the secrets: those of
// forks and of Dependabot have none, and others ask for nothing.
func sendsRequest(e pipeline.Event) bool { return e.Idle() == "" && !e.Dependabot }

// triggering prepares and ends trigger.
type triggering struct{ *step }

func triggeringOf(s *step) triggering { return triggering{s} }

// addSecrets gives a trigger what needs the secrets of the run.
func (s triggering) addSecrets(t *intake.Trigger, in intake.TriggerInput, customerDir string) error {
	manager, err := s.github.clientFor(envManagerToken, grantSend)
	if err != nil {
		return err
	}
	read := managerFileOnce(manager, in.Receiver())
	t.Manager, t.Validate, t.CheckContent = manager, s.validateAgainst(manager, read, in, customerDir), s.contentOf(read, in, customerDir)
	if s.app.getenv("ACTIONS_ID_TOKEN_REQUEST_URL") != "" {
		t.IDToken = masksOf(s.step).idToken
	}
	return nil
}

func (s triggering) event() (pipeline.Event, error) {
	if !s.context.InActions {
		return pipeline.Event{}, pipeline.Usagef("trigger needs the event of a workflow run").
			Nextf("run it in GitHub Actions; on a laptop use `metapipe plan --customer-dir` or `metapipe rehearse`")
	}
	// pull_request_target has words of its own there.
	if kind := s.context.EventName; kind != "pull_request_target" {
		if err := (pipeline.Event{Name: kind}).CheckTrigger(); err != nil {
			return pipeline.Event{}, err
		}
	}
	return actions.LoadEvent(s.context)
}

// input is as much of the input as can be read, also beside an error.
func (s triggering) input(o triggerOptions, event pipeline.Event) (intake.TriggerInput, error) {
	in := intake.TriggerInput{Event: event, Run: s.run(), Pickup: o.pickup, Wait: o.wait}
	folder, err := o.path.read()
	if err != nil {
		return in, err
	}
	in.Path = folder
	mode, err := pipeline.ParseMode(o.mode)
	if err != nil {
		return in, unknownMode(o.mode, err)
	}
	in.Mode = mode
	if err := errors.Join(within("pickup-timeout", o.pickup, time.Second, 24*time.Hour), within("wait", o.wait, 0, 35*24*time.Hour)); err != nil {
		return in, err
	}
	if o.customer != "" {
		if in.Customer, err = pipeline.ParseCustomerName(o.customer); err != nil {
			return in, pipeline.Usagef("--customer").Because(err)
		}
	}
	manager, err := s.managerOf(o)
	if err != nil && sendsRequest(event) {
		return in, err
	}
	in.Manager = manager
	if o.inbox = cmp.Or(o.inbox, s.app.getenv(envManagerInbox)); o.inbox == "" {
		return in, nil
	}
	if in.Inbox, err = pipeline.ParseSlug(o.inbox); err != nil && sendsRequest(event) {
		return in, pipeline.Usagef("the inbox").Because(err).Nextf("set the variable MANAGER_INBOX, or --inbox, to OWNER/NAME, or leave it out")
	}
	return in, nil
}

// managerOf is the manager's repository of the flag, or of the two variables.
func (s triggering) managerOf(o triggerOptions) (pipeline.Slug, error) {
	if o.manager == "" {
		o.manager = s.app.getenv(envManagerOwner) + "/" + s.app.getenv(envManagerName)
	}
	manager, err := pipeline.ParseSlug(o.manager)
	if err != nil {
		return manager, pipeline.Usagef("the manager repository").Because(err).
			Nextf("set the variables MANAGER_REPO_OWNER and MANAGER_REPO_NAME, or --manager")
	}
	return manager, nil
}

// validateAgainst checks variables.yml of the checkout, under the manager's
// schema where the token can read it: fetch-vars checks again in any case.
func (s triggering) validateAgainst(manager *github.Client, read managerFile, in intake.TriggerInput, customerDir string) func(context.Context) pipeline.Problems {
	return func(ctx context.Context) pipeline.Problems {
		schema, limits, err := s.managerRules(ctx, manager, read, in.Receiver())
		if err != nil {
			s.logUnread(in, "the manager's schema", "only the general rules are checked here", err)
		}
		_, _, problems := variables.LoadFile(customerDir, path.Join(in.Path, pipeline.VariablesFile), limits, schema)
		return problems
	}
}

// managerRules are the schema of variables.yml, nil where metapipe.yml names none, and
// the manager's limits. Where they cannot be read the widest limits hold: fetch-vars
// knows the right ones.
func (s triggering) managerRules(ctx context.Context, manager *github.Client, read managerFile, slug pipeline.Slug) (*variables.Schema, pipeline.Limits, error) {
	limits := pipeline.Limits{VariablesBytes: config.MaxVariables}
	m, err := read(ctx)
	if err != nil {
		return nil, limits, err
	}
	limits = m.Limits
	if m.Schema == "" {
		return nil, limits, nil
	}
	file, err := manager.BranchFile(ctx, slug, defaultBranch, m.Schema)
	if err != nil {
		return nil, limits, err
	}
	schema, err := variables.Compile(m.Schema, file.Content)
	return schema, limits, err
}

// defaultBranch is that of any repository.
const defaultBranch = ""

// result hands the result to the later steps, and shows it to people. What a
// channel has no room for is left out and named: it makes no failure of a success.
func (s triggering) result(in intake.TriggerInput, r intake.TriggerResult, cause error) error {
	if r.Skipped != "" {
		s.app.logf("%s", r.Skipped)
	}
	outputs, left, err := fitOutputs(r.Outputs, maxJobOutputs)
	if err != nil {
		return err
	}
	ready, setup, err := setupOf(r, cause)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		err = s.warnLeftOut(left)
	}
	job := render.CustomerJob{Result: r, Err: cause, Manager: in.Manager, LeftOut: left}
	if n := in.Event.PullRequest; n > 0 {
		job.Pull = fmt.Sprintf("%s/%s/pull/%d", s.context.ServerURL, in.Event.Repository.Slug, n)
	}
	return errors.Join(err, s.summarize(render.Renderer{}.Customer(job)),
		s.outputs("request-id", string(r.Request), "run-url", r.RunURL, "outcome", string(r.Outcome), "skipped", r.Skipped, "stage", r.Stage,
			"ready", ready, "setup", setup, "outputs", outputs))
}

// unknownMode is the error about the value of --mode.
func unknownMode(typed string, err error) error {
	meant := pipeline.DidYouMean(typed, []pipeline.Mode{pipeline.ModeApply, pipeline.ModePlan, pipeline.ModeDryRun})
	return pipeline.Usagef("--mode").Because(err).Nextf("%suse apply, plan or dry-run", meant)
}
