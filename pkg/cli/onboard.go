package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/github"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/change"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/onboarding"
	"github.com/metapipe/metapipe/pkg/pipeline/properties"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/starter"
)

// onboardingOptions are the flags of onboard and offboard.
type onboardingOptions struct {
	changeOptions
	manager string // its repository, as typed
}

func (o *onboardingOptions) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	o.directories.flags(cmd)
	f.StringVar(&o.manager, "repository", "", "the manager's repository, `OWNER/NAME` (default: that of the run, or of the remote origin)")
	f.BoolVar(&o.apply, "apply", false, "write, instead of showing what would be written")
	f.BoolVar(&o.json, "json", false, "print JSON")
}

type onboardOptions struct {
	onboardingOptions
	repository, name, tier, secretFile string
	environments, tools                []string
	check, takeBack                    bool
}

func newOnboardCmd(app *App) *cobra.Command {
	var o onboardOptions
	cmd := &cobra.Command{
		Use:   "onboard OWNER/REPO",
		Short: "Add a customer: pull requests on both sides, variables, properties and the secret",
		Long: `onboard shows what a new customer needs on GitHub, and with --apply writes it:

  in the manager   a pull request with customers/NAME.yml
  in OWNER/REPO    a pull request from the branch metapipe/onboard with infra/variables.yml,
                   the workflow that sends requests, and the template for pull requests;
                   the variables MANAGER_REPO_OWNER and MANAGER_REPO_NAME; with --tools and
                   --tier custom properties; with --required-check a ruleset on the default
                   branch; and, last, the secret MANAGER_REPO_PAT if it is given

It writes to no default branch, and replaces nothing: files, variables and properties with
another content stay, or stop it. Each value is compared right before its write, read back
after it, and recorded in the ledger of the customer. A run that was interrupted can be run
again, and ends the same; what it had begun to write is held for five minutes.

--undo closes the pull requests and removes what onboard has made. The variable
METAPIPE_ONBOARD of the repository lists that. What was there before stays, and so does what
was merged.

The secret comes from --secret-file or the variable MANAGER_REPO_PAT. It is sealed for the
repository before it is sent.

It refuses archived repositories and forks, a name that is the file of another repository,
and custom properties for a repository of a person.

Environment: GITHUB_TOKEN of a person for the manager (contents and pull requests write), and
SOURCE_REPOS_PAT for the customer's repository (contents, pull requests, workflows, variables,
secrets and administration write; custom properties of the organization write), by default
the same token. ` + "`metapipe doctor --onboard OWNER/REPO`" + ` checks them. With --apply METAPIPE_KEY;
AWS: read and write of the bucket.
Exit code 1: something could not be written. Exit code 4: something else was there.`,
		Example: `  metapipe onboard octo-org/shop
  metapipe onboard octo-org/shop --name shop --environments staging --tier startup --apply
  metapipe onboard octo-org/shop --undo --apply`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				return nil
			}
			return pipeline.Usagef("onboard takes the repository of one customer, and got %d arguments", len(args)).Nextf("write: metapipe onboard OWNER/REPO")
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			for _, name := range []string{"environments", "tools", "tier", "required-check", "secret-file"} {
				if err := oneOfFlags(cmd, "undo", name); err != nil {
					return err
				}
			}
			o.repository = args[0]
			return app.onboard(cmd.Context(), o)
		},
	}
	o.flags(cmd)
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "the `NAME` of the customer (default: that of the repository)")
	f.StringSliceVar(&o.environments, "environments", nil, "the `NAMES` of the environments that the customer may use (default: all)")
	f.StringSliceVar(&o.tools, "tools", nil, "the `NAMES` of the tools or stacks, as a custom property")
	f.StringVar(&o.tier, "tier", "", "the `TIER` of the customer, as a custom property")
	f.BoolVar(&o.check, "required-check", false, "let merges to the default branch wait for the commit status of metapipe")
	f.StringVar(&o.secretFile, "secret-file", "", "`FILE` with the token for the secret MANAGER_REPO_PAT (default: the variable MANAGER_REPO_PAT)")
	f.BoolVar(&o.takeBack, "undo", false, "take back what onboard has made")
	return cmd
}

func (a *App) onboard(ctx context.Context, o onboardOptions) error {
	slug, err := pipeline.ParseSlug(o.repository)
	if err != nil {
		return pipeline.Usagef("the repository of the customer").Because(err).Nextf("write it as OWNER/REPO")
	}
	if o.name == "" {
		o.name = strings.ToLower(slug.Name)
	}
	name, err := pipeline.ParseCustomerName(o.name)
	if err != nil {
		return pipeline.Usagef("the name of the customer cannot be used").Because(err).Nextf("choose one with --name")
	}
	secrets, err := a.onboardSecrets(o)
	if err != nil {
		return err
	}
	o.mayBeFirst = true
	m, p, err := a.openOnboarding(ctx, o.onboardingOptions, slug)
	if err != nil {
		return err
	}
	if p.Of, err = m.newCustomer(name, slug, o); err != nil {
		return err
	}
	p.Of.Variables = map[string]string{envManagerOwner: p.ManagerRepository.Owner, envManagerName: p.ManagerRepository.Name}
	p.Of.Secrets = secrets
	result, err := onboardOrUndo(ctx, p, o.takeBack)
	if err != nil {
		return err
	}
	again := "metapipe onboard " + shellWord(slug.String()) + " --name " + string(name) + " --undo --apply"
	if o.takeBack {
		again = ""
	}
	return m.playOnboarding(ctx, o.onboardingOptions, result, again)
}

func onboardOrUndo(ctx context.Context, p onboarding.Planner, undo bool) (onboarding.Result, error) {
	if undo {
		return p.Undo(ctx)
	}
	return p.Onboard(ctx)
}

// maxSecret is how long a secret of GitHub can be, in bytes.
const maxSecret = 48 << 10

// onboardSecrets reads the token that the customer's workflow sends requests with.
func (a *App) onboardSecrets(o onboardOptions) (map[string]string, error) {
	value := a.getenv(envManagerToken)
	if o.secretFile != "" {
		path, err := a.namedFile("--secret-file", o.secretFile, "name a file that holds the token and nothing else")
		if err != nil {
			return nil, err
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, pipeline.Usagef("--secret-file").Because(err).Nextf("name a file that this user may read")
		}
		raw, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, pipeline.Usagef("--secret-file").Because(err).Nextf("name a file that this user may read")
		}
		value = string(bytes.TrimRight(raw, "\r\n"))
		if value == "" || len(raw) > maxSecret || strings.ContainsAny(value, "\r\n") {
			return nil, pipeline.Usagef("--secret-file %s is empty, has several lines, or is longer than a secret can be", o.secretFile).Nextf("name a file that holds the token and nothing else")
		}
	}
	if value == "" || o.takeBack {
		return nil, nil
	}
	return map[string]string{envManagerToken: value}, nil
}

// openOnboarding opens the manager and the two repositories.
func (a *App) openOnboarding(ctx context.Context, o onboardingOptions, customer pipeline.Slug) (*manager, onboarding.Planner, error) {
	p := onboarding.Planner{CustomerRepo: customer}
	play := o.changeOptions
	play.mayBeFirst, play.tokens = o.mayBeFirst, []string{envOwnToken}
	m, err := a.changeManager(ctx, play, func(*manager) error { return nil })
	if err != nil {
		return nil, p, err
	}
	if p.ManagerRepository, err = repositoryOf(o.manager, m.slug(ctx)); err != nil {
		return nil, p, err
	}
	if p.ManagerRepository == localManager {
		return nil, p, pipeline.Usagef("the repository of the manager is not known: %s has no remote origin on GitHub", m.dir).Nextf("name it with --repository OWNER/NAME")
	}
	clients := map[string]*github.Client{}
	for _, token := range []string{envOwnToken, envSourceToken} {
		options := m.github.options(token)
		if options.Token == "" && token == envSourceToken {
			clients[token] = clients[envOwnToken]
			continue
		}
		if options.Token == "" {
			return nil, p, unsetSecrets([]unset{m.github.unset(token)})
		}
		if clients[token], err = m.github.open(options); err != nil {
			return nil, p, err
		}
	}
	p.Manager, p.Customer = clients[envOwnToken], clients[envSourceToken]
	return m, p, nil
}

// newCustomer is what the manager says about a customer, and what the flags ask for.
func (m *manager) newCustomer(name pipeline.CustomerName, slug pipeline.Slug, o onboardOptions) (onboarding.Customer, error) {
	of := onboarding.Customer{Name: name, Path: customerFile(name), Directory: config.DefaultPath, RequiredCheck: o.check, Others: m.others(name)}
	var named []pipeline.Environment
	for _, n := range o.environments {
		env, err := m.environment("environments", n)
		if err != nil {
			return of, err
		}
		if slices.Contains(named, env) {
			return of, pipeline.Usagef("--environments names %s twice", env).Nextf("name each environment once")
		}
		named = append(named, env)
	}
	of.Render = func(r onboarding.Repository) []byte {
		text := fmt.Sprintf("repository: %s\nrepository_id: %d\n", r.Slug, r.ID)
		if len(named) > 0 {
			text += "environments: [" + pipeline.JoinNames(named) + "]\n"
		}
		return []byte(text)
	}
	for _, c := range m.config.Customers {
		switch {
		case c.Name == name:
			of.RegisteredID = c.RepositoryID
		case strings.EqualFold(c.Repository.String(), slug.String()) && c.Path == of.Directory && !o.takeBack:
			return of, pipeline.Usagef("%s is the customer %s already (%s)", slug, c.Name, c.File).Nextf("use --name %s", c.Name)
		}
	}
	schema, problems := m.rules.schema(m.config.Manager.Schema)
	if problems.Err() != nil {
		return of, pipeline.Usagef("read the schema of the manager").Because(problems.Err()).Nextf("run `metapipe validate`")
	}
	allowed := named
	if len(allowed) == 0 {
		allowed = environmentsOf(m.config.Manager)
	}
	var err error
	if of.Files, err = starter.Customer(schema, allowed); err != nil {
		return of, err
	}
	return of, m.wantProperties(&of, slug, o)
}

// others are the customers with another name.
func (m *manager) others(name pipeline.CustomerName) []pipeline.Customer {
	return slices.DeleteFunc(slices.Clone(m.config.Customers), func(c pipeline.Customer) bool { return c.Name == name })
}

// wantProperties adds the custom properties that the flags ask for, and those that may be taken back.
func (m *manager) wantProperties(of *onboarding.Customer, slug pipeline.Slug, o onboardOptions) error {
	rules := m.config.Manager.Properties
	if rules == nil {
		if o.tier != "" || len(o.tools) > 0 {
			return pipeline.Usagef("--tools and --tier set custom properties, and %s has no `properties`", config.ManagerFile).Nextf("leave them out, or add `properties: {}`")
		}
		return nil
	}
	var wanted []properties.Assignment
	for _, w := range []struct {
		meaning pipeline.PropertyMeaning
		value   string
	}{{pipeline.MeaningTools, strings.Join(o.tools, ",")}, {pipeline.MeaningTier, o.tier}} {
		name := rules.Names[w.meaning]
		if name == "" {
			continue
		}
		of.PropertyNames = append(of.PropertyNames, name)
		if w.value == "" {
			continue
		}
		assignment, err := properties.ParseAssignment(name + "=" + w.value)
		if err != nil {
			return pipeline.Usagef("the property %s", name).Because(err).Nextf("correct --tools or --tier")
		}
		wanted = append(wanted, assignment)
	}
	client, err := m.propertyClient()
	if err != nil {
		return err
	}
	of.Writer = properties.ValueWriter{GitHub: client, OneByOne: true}
	if len(wanted) == 0 {
		return nil
	}
	of.Properties = func(ctx context.Context, r onboarding.Repository) ([]change.Row, error) {
		c := pipeline.Customer{Name: of.Name, File: of.Path, Repository: r.Slug, RepositoryID: r.ID}
		setter := &properties.Setter{GitHub: client, All: []pipeline.Customer{c}, OneByOne: true}
		plan, _, err := setter.Plan(ctx, []pipeline.Customer{c}, wanted, "the flags of onboard")
		return append(plan.Rows, plan.Same...), err
	}
	return nil
}

// propertyClient is the client for the customer's repository.
func (m *manager) propertyClient() (*github.Client, error) {
	options := m.github.options(envSourceToken)
	if options.Token == "" {
		options = m.github.options(envOwnToken)
	}
	return m.github.open(options)
}

// playOnboarding shows a plan, or applies it. undo is the command that takes it back; empty: none does.
func (m *manager) playOnboarding(ctx context.Context, o onboardingOptions, r onboarding.Result, undo string) error {
	if err := r.Plan.Check(); err != nil {
		return err
	}
	shown := r.Plan.Show()
	shown.Notes = r.Notes
	show := o.changeOptions
	show.maxChanges = r.Plan.Places()
	if !o.apply || len(r.Plan.Rows) == 0 && len(r.Plan.Same) == 0 {
		return m.printChanges(show, r.Plan, shown)
	}
	a := &change.Applier{Writer: r.Writer, Now: m.app.Now, Sleep: m.app.Sleep, Actor: m.operator(), Run: m.run(), Host: hostname(),
		Ledger: ledger.Ledger{Records: record.Records{Store: m.store, Sealer: m.sealer}, Now: m.app.Now}}
	shown.Rows, shown.Applied = append([]change.Result{}, a.Apply(ctx, r.Plan)...), true
	err := m.printChanges(show, r.Plan, shown)
	if undo != "" && shown.Count(change.Written) > 0 {
		m.app.logf("to take it back: %s", undo)
	}
	return errors.Join(err, shown.Err())
}

// firstFiles are the files that onboard may have proposed to a customer.
func (m *manager) firstFiles(c pipeline.Customer) (map[string][]byte, error) {
	schema, problems := m.rules.schema(m.config.Manager.Schema)
	if problems.Err() != nil {
		return nil, pipeline.Usagef("read the schema of the manager").Because(problems.Err()).Nextf("run `metapipe validate`")
	}
	return starter.Customer(schema, c.Environments)
}
