package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/engine/terraform"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/provision"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/spacelift"
)

// The API key, under the names that Spacelift's own clients use.
const (
	envSpaceliftID     = "SPACELIFT_API_KEY_ID"
	envSpaceliftSecret = "SPACELIFT_API_KEY_SECRET" //nolint:gosec // the name of a variable
)

type spaceliftOptions struct {
	directories
	customer    string
	repository  string
	maxChanges  int
	apply, json bool
	// of remove
	id      string
	destroy bool
	wait    time.Duration
}

func newSpaceliftCmd(app *App) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "spacelift",
		Short: "Set up the stacks of Spacelift that run targets",
		Long: `spacelift works on the account that metapipe.yml names. A stack with runner: spacelift is
planned and applied by Spacelift. docs/SPACELIFT.md says how.`,
		Example: "  metapipe spacelift sync",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newSpaceliftSyncCmd(app), newSpaceliftRemoveCmd(app))
	return cmd
}

const spaceliftEnvironment = `Environment: SPACELIFT_API_KEY_ID and SPACELIFT_API_KEY_SECRET (with key: oidc in
metapipe.yml the ID token of the run takes the place of the secret); SOURCE_REPOS_PAT or a
GitHub App (customers' repositories: metadata and contents read); METAPIPE_KEY. AWS: read
and write of the bucket.`

func newSpaceliftSyncCmd(app *App) *cobra.Command {
	var o spaceliftOptions
	cmd := &cobra.Command{
		Use:   "sync",
		Short: "Create and update the stacks of customers in Spacelift",
		Long: `sync compares the stacks that metapipe.yml, the customers' files and their custom
properties ask for with those in Spacelift. It prints what differs and the body of each
request that would write it, without the values of customers. With --apply it writes.

A new stack is created and disabled at once, gets its values, policies, contexts and
dependencies, and is enabled last, so that no push starts a run of half a stack. A stack
that changes is disabled meanwhile. A run that was stopped goes on at the next time, and
the second run writes nothing.

Nothing is deleted: a stack that nothing asks for any more is disabled and named. Policies
and contexts that metapipe.yml does not name stay attached, and are named too.

` + spaceliftEnvironment + `
Outputs: changes, written, failed and findings.
Exit code 1: something could not be read or written. Exit code 4: a customer or a stack is
left as it is, for the reason that is printed, or has changed since it was read.`,
		Example: "  metapipe spacelift sync\n  metapipe spacelift sync --customer shop --apply",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return app.spaceliftSync(cmd.Context(), o) },
	}
	o.directories.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.customer, "customer", "", "only the customer `NAME`")
	o.repositoryFlag(f)
	f.BoolVar(&o.apply, "apply", false, "write, instead of showing what would be written")
	f.IntVar(&o.maxChanges, "max-changes", 0, "how many (`N`) can be changed, where the plan is for more than 30 or a tenth of all")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func newSpaceliftRemoveCmd(app *App) *cobra.Command {
	var o spaceliftOptions
	cmd := &cobra.Command{
		Use:   "remove ID",
		Short: "Remove a stack from Spacelift that nothing asks for any more",
		Long: `remove deletes the stack ID, such as mp-shop-staging, which has to be typed in full. Without
--apply it says what it would do. What the stack has built stays, and its state stays in the
backend of metapipe.yml; with --destroy-resources Spacelift destroys what it has built first.

It refuses (exit code 4) a stack of another manager, one that the manager's files still ask
for, one that is enabled or has a run that has not ended, and one whose state Spacelift keeps
(manage_state), unless its resources are destroyed.

Spacelift deletes after its answer. remove waits for that as long as --wait says. Exit code
5: it was still deleting then.

` + spaceliftEnvironment,
		Example: "  metapipe spacelift remove mp-shop-staging --apply\n  metapipe spacelift remove mp-shop-staging --destroy-resources --apply",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return pipeline.Usagef("remove takes the id of one stack").Nextf("%s", seeHelp(cmd))
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			o.id = args[0]
			return app.spaceliftRemove(cmd.Context(), o)
		},
	}
	o.directories.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&o.destroy, "destroy-resources", false, "destroy what the stack has built, before it is deleted")
	o.repositoryFlag(f)
	f.BoolVar(&o.apply, "apply", false, "remove, instead of showing what would be removed")
	f.DurationVar(&o.wait, "wait", 30*time.Minute, "how long (`DURATION`) to wait until it is gone")
	return cmd
}

func (o *spaceliftOptions) repositoryFlag(f *pflag.FlagSet) {
	f.StringVar(&o.repository, "repository", "", "the manager's repository as `OWNER/NAME` (default: that of the run, or of the remote origin)")
}

// spaceliftManager opens the manager, with its store only where something is written, and the client of its account.
func (a *App) spaceliftManager(ctx context.Context, o spaceliftOptions) (*manager, *spacelift.Client, pipeline.Slug, error) {
	changes := changeOptions{directories: o.directories, apply: o.apply}
	changes.tokens = []string{envSourceToken}
	m, err := a.changeManager(ctx, changes, func(*manager) error { return nil })
	if err != nil {
		return nil, nil, pipeline.Slug{}, err
	}
	if m.config.Manager.Spacelift == nil {
		return nil, nil, pipeline.Slug{}, pipeline.Usagef("%s names no account of Spacelift", config.ManagerFile).Nextf("add the key spacelift; docs/SPACELIFT.md says how")
	}
	if o.customer != "" {
		if _, err := m.customer(o.customer); err != nil {
			return nil, nil, pipeline.Slug{}, err
		}
	}
	slug, err := repositoryOf(o.repository, m.slug(ctx))
	if err == nil && slug == localManager {
		err = pipeline.Usagef("the repository of this manager on GitHub is not known, and the stacks read it").Nextf("name it with --repository, or run this in a checkout with a remote origin")
	}
	if err != nil {
		return nil, nil, slug, err
	}
	client, err := m.spacelift(*m.config.Manager.Spacelift)
	return m, client, slug, err
}

// spacelift is the client of the account.
func (m *manager) spacelift(rule pipeline.SpaceliftRule) (*spacelift.Client, error) {
	id, secret := m.app.getenv(envSpaceliftID), m.app.getenv(envSpaceliftSecret)
	var missing []unset
	if id == "" {
		missing = append(missing, unset{envSpaceliftID, "", "set it to the id of an API key (Spacelift: Organization settings → API keys)"})
	}
	if secret == "" && !rule.OIDC {
		missing = append(missing, unset{envSpaceliftSecret, "", "set it to the secret of that API key"})
	}
	if len(missing) > 0 {
		return nil, unsetSecrets(missing)
	}
	o := spacelift.Options{Endpoint: rule.Endpoint, KeyID: id, UserAgent: "metapipe/" + m.app.Version.Number, Now: m.app.Now, Sleep: m.app.Sleep, Hide: func(token string) error { return masksOf(m.step).add(token) },
		Secret: func(context.Context) (string, error) { return secret, nil }}
	if rule.OIDC {
		o.Secret = func(ctx context.Context) (string, error) { return masksOf(m.step).idToken(ctx, rule.Host()) }
	}
	client, err := spacelift.New(o)
	if err != nil {
		return nil, pipeline.Usagef("the endpoint of Spacelift").Because(err).Nextf("correct spacelift.endpoint in %s", config.ManagerFile)
	}
	return client, nil
}

func (a *App) spaceliftSync(ctx context.Context, o spaceliftOptions) error {
	if o.maxChanges < 0 {
		return pipeline.Usagef("--max-changes %d is negative", o.maxChanges).Nextf("name the number of the plan")
	}
	o.mayBeFirst = true
	m, client, slug, err := a.spaceliftManager(ctx, o)
	if err != nil {
		return err
	}
	planner, err := m.provisioner(client, slug)
	if err != nil {
		return err
	}
	planner.Only = pipeline.CustomerName(o.customer)
	if o.apply {
		planner.Busy = m.worksOn
	}
	result, err := planner.Plan(ctx, m.config.Customers)
	if err != nil {
		return err
	}
	p := result.Plan
	if err := p.Check(); err != nil {
		return err
	}
	report := provision.Report{Report: p.Show(), Findings: append([]provision.Finding{}, result.Findings...)}
	if !o.apply {
		if report.Requests, err = requestsOf(result); err != nil {
			return err
		}
		return errors.Join(m.showStacks(o, report), result.Err())
	}
	if err := p.Guard(o.maxChanges); err != nil {
		return errors.Join(m.showStacks(o, report), err)
	}
	applier := &change.Applier{Writer: result.Writer, Now: a.Now, Sleep: a.Sleep, Actor: m.operator(), Run: m.run(), Host: hostname(), Ledger: m.ledger()}
	report.Applied, report.Rows = true, append([]change.Result{}, applier.Apply(ctx, p)...)
	return errors.Join(m.showStacks(o, report), report.Err(), result.Err())
}

// ledger is that of the store.
func (m *manager) ledger() ledger.Ledger {
	return ledger.Ledger{Records: record.Records{Store: m.store, Sealer: m.sealer}, Now: m.app.Now}
}

// provisioner plans the stacks of the manager.
func (m *manager) provisioner(client provision.Spacelift, slug pipeline.Slug) (*provision.Planner, error) {
	source, err := m.github.clientFor(envSourceToken, grantStacks)
	if err != nil {
		return nil, err
	}
	return &provision.Planner{Spacelift: client, GitHub: source, Roots: remoteRoots{m}, Parse: m.parse, Overlap: config.VersionsOverlap, Manager: slug, Salt: pipeline.NewSalt()}, nil
}

// worksOn says which step of a request has begun on a target and recorded no end; empty: none.
func (m *manager) worksOn(ctx context.Context, t pipeline.Target) (string, error) {
	steps, err := ledger.UnfinishedSteps(ctx, record.Records{Store: m.store, Sealer: m.sealer}, t)
	if err != nil || len(steps) == 0 {
		return "", err
	}
	return steps.String(), nil
}

// requestsOf are the bodies of the requests that would write a plan.
func requestsOf(r provision.Result) (map[string][]json.RawMessage, error) {
	all := map[string][]json.RawMessage{}
	for _, row := range r.Plan.Rows {
		bodies, err := r.Bodies(row)
		if err != nil {
			return nil, err
		}
		all[row.Name] = bodies
	}
	return all, nil
}

func (m *manager) showStacks(o spaceliftOptions, r provision.Report) error {
	changes := len(r.Rows) - r.Count(change.Same)
	err := m.outputs("changes", strconv.Itoa(changes), "written", strconv.Itoa(r.Count(change.Written)),
		"failed", strconv.Itoa(r.Count(change.Failed, change.Refused, change.Uncertain, change.Left)), "findings", strconv.Itoa(len(r.Findings)))
	if err != nil {
		return err
	}
	if o.json {
		return m.app.printJSON(r)
	}
	_, err = fmt.Fprint(m.app.Out, render.Stacks(r))
	if !r.Applied && changes > 0 {
		m.app.logf("nothing is written: --apply writes it")
	}
	return err
}

// remoteRoots says what root modules get where Spacelift runs them.
type remoteRoots struct{ *manager }

// Given implements provision.Roots.
func (r remoteRoots) Given(c pipeline.Customer, t pipeline.Target, values pipeline.EffectiveConfig, needed map[pipeline.StackName]map[string]string) (provision.Given, error) {
	root, tool, err := c.Module(t.Stack)
	if err != nil {
		return provision.Given{}, err
	}
	var backend pipeline.Backend
	if !c.Manager.Spacelift.ManageState {
		backend = r.backend(t)
	}
	given, err := terraform.GivenFor(r.dir, root, tool.Name, c, t.Environment, values, needed, backend)
	return provision.Given{Files: given.Files, Variables: given.Plain, Secret: given.Sensitive}, err
}

// FileNames implements provision.Roots.
func (remoteRoots) FileNames() []string { return terraform.GivenFiles() }

func (a *App) spaceliftRemove(ctx context.Context, o spaceliftOptions) error {
	m, client, slug, err := a.spaceliftManager(ctx, o)
	if err != nil {
		return err
	}
	r := &provision.Remover{Spacelift: client, Manager: slug, Ledger: m.ledger(), Now: a.Now, Sleep: a.Sleep, Actor: m.operator(), Run: m.run(), Host: hostname(), Salt: pipeline.NewSalt(), Logf: a.logf, Wait: o.wait}
	in := provision.Removal{ID: o.id, Destroy: o.destroy, Wanted: m.asksFor(o.id)}
	found, err := r.Check(ctx, in)
	if err != nil {
		return err
	}
	what := "it is deleted; what it has built stays"
	if o.destroy {
		what = "Spacelift destroys what it has built, then it is deleted"
	}
	if !o.apply {
		fmt.Fprintf(a.Out, "%s: %s\n", o.id, what)
		a.logf("nothing is removed: --apply removes it")
		return nil
	}
	if err := r.Remove(ctx, found, in); err != nil {
		return err
	}
	_, err = fmt.Fprintf(a.Out, "%s: removed\n", o.id)
	return err
}

// asksFor reports whether the files of the manager ask for a stack. What a custom property has switched off is still
// asked for.
func (m *manager) asksFor(id string) bool {
	for _, c := range m.config.Customers {
		if c.Offboarded {
			continue
		}
		for _, t := range c.RunBy(pipeline.RunnerSpacelift) {
			if t.SpaceliftID() == id {
				return true
			}
		}
	}
	return false
}
