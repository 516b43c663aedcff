package cli

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/compliance"
	"github.com/metapipe/metapipe/pkg/pipeline/doctor"
	"github.com/metapipe/metapipe/pkg/pipeline/sourcesync"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/text"
	"github.com/metapipe/metapipe/pkg/workflow"
	"github.com/metapipe/metapipe/workflows"
)

// The sides of doctor.
const (
	roleManager  = "manager"
	roleCustomer = "customer"
)

type doctorOptions struct {
	managerDir, customerDir, customer, role, repository string
	onboard, offboard                                   string
	all, probe, json, endToEnd                          bool
	wait                                                time.Duration
}

func newDoctorCmd(app *App) *cobra.Command {
	var o doctorOptions
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Check tokens, repositories, environments, bucket, keys and customers",
		Long: `doctor looks at what a manager needs outside of its files, and changes nothing: tokens with
their kinds, ends and permissions, the ruleset, the workflows, the Actions settings, each environment
of metapipe.yml, the state bucket, keys, roles, tools and the clock. With --customer or --all
it also looks at the repositories of customers. --role customer is for the other side: it
looks at the customer's own repository and at the token for the manager.

Each check is ok, warn, fail or unknown. unknown means that it could not be looked at; the
line then names the permission, and of which token. GitHub does not show whether a fine-grained
token can write: --probe sends writes that GitHub has to refuse, such as a status for a commit
that cannot exist, and reads the refusal.

It asks GitHub at most 12 times about the manager, and 6 times about each customer; --probe
adds a request for each permission to write, and for each permission of an organization.
docs/DOCTOR.md lists the checks.

--onboard OWNER/REPO and --offboard NAME also check what these two commands need of the tokens of the
person who runs them, with at most 6 requests.

--end-to-end also starts a dry run of one customer: it starts the customer's own workflow on
its default branch with the mode dry-run, waits for the run, for the manager's status on the
commit and for its end, and looks at the comment. Nothing is applied. GITHUB_TOKEN needs
actions: write in the customer's repository for that.

Environment: GITHUB_TOKEN, SOURCE_REPOS_PAT or METAPIPE_APP_ID and
METAPIPE_APP_PRIVATE_KEY, METAPIPE_KEY, AWS_…, SPACELIFT_API_KEY_ID and
SPACELIFT_API_KEY_SECRET where metapipe.yml names an account; with --role customer
GITHUB_TOKEN and MANAGER_REPO_PAT.
Exit code 6: a check has failed.`,
		Example: `  metapipe doctor
  metapipe doctor --all --json
  metapipe doctor --onboard octo-org/shop --probe
  metapipe doctor --role customer --customer-dir .`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOfFlags(cmd, "customer", "all"); err != nil {
				return err
			}
			if err := within("wait", o.wait, time.Second, 6*time.Hour); err != nil {
				return err
			}
			return app.doctor(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.managerDir, "manager-dir", "", "`DIR` of the manager checkout (default: the working directory)")
	f.StringVar(&o.customerDir, "customer-dir", "", "with --role customer: `DIR` of the customer checkout (default: the working directory)")
	f.StringVar(&o.customer, "customer", "", "also look at this customer `NAME`")
	f.BoolVar(&o.all, "all", false, "also look at all customers")
	f.StringVar(&o.onboard, "onboard", "", "also check the permissions that onboard needs for `OWNER/REPO`")
	f.StringVar(&o.offboard, "offboard", "", "also check the permissions that offboard needs for the customer `NAME`")
	f.StringVar(&o.role, "role", roleManager, "`SIDE` to look at: manager or customer")
	f.StringVar(&o.repository, "repository", "", "the repository as `OWNER/NAME` (default: that of the run, or the remote origin)")
	f.BoolVar(&o.probe, "probe", false, "find out which writes the tokens may do, with writes that GitHub refuses")
	f.BoolVar(&o.endToEnd, "end-to-end", false, "also start a dry run of the customer, and follow it to its report")
	f.DurationVar(&o.wait, "wait", 20*time.Minute, "with --end-to-end: the `DURATION` that the dry run may take")
	f.BoolVar(&o.json, "json", false, "print JSON")
	return cmd
}

func (a *App) doctor(ctx context.Context, o doctorOptions) error {
	s, err := a.newStep()
	if err != nil {
		return err
	}
	d := doctor.Doctor{Probe: o.probe, Now: a.Now}
	var checks []doctor.Check
	switch o.role {
	case roleManager:
		checks, err = a.doctorManager(ctx, s, d, o)
	case roleCustomer:
		checks, err = a.doctorCustomer(ctx, s, d, o)
	default:
		return pipeline.Usagef("--role is %s", pipeline.QuoteTyped(o.role)).Nextf("%suse manager or customer", pipeline.DidYouMean(o.role, []string{roleManager, roleCustomer}))
	}
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	report := doctor.NewReport(checks)
	if o.json {
		err = a.printJSON(report)
	} else {
		err = a.printDoctor(report)
	}
	if err == nil && report.Failed > 0 {
		return findingsError{count: report.Failed}
	}
	return err
}

// access is the token of a variable, or the App in its place.
func (s *step) access(name string, commands []string) (doctor.Access, error) {
	access := doctor.Access{Name: name, Commands: commands}
	app := name != envOwnToken && (s.app.getenv(envAppID) != "" || s.app.getenv(envAppKey) != "")
	if !app && s.app.getenv(name) == "" {
		return access, nil
	}
	client, err := s.github.client(name)
	if err != nil {
		return access, err
	}
	access.GitHub, access.App = client, app
	return access, nil
}

// doctorManager looks at a manager, and at those of its customers that o names.
func (a *App) doctorManager(ctx context.Context, s *step, d doctor.Doctor, o doctorOptions) ([]doctor.Check, error) {
	s.only, s.tolerant = o.customer, true
	m, err := s.loadManager(o.managerDir)
	if err != nil {
		return nil, err
	}
	slug, err := repositoryOf(o.repository, m.slug(ctx))
	if err != nil {
		return nil, err
	}
	if slug == localManager {
		return nil, pipeline.Usagef("%s has no remote origin, so its repository on GitHub is not known", m.dir).Nextf("name it with --repository OWNER/NAME")
	}
	customers := []pipeline.Customer{}
	if o.endToEnd && o.customer == "" {
		return nil, pipeline.Usagef("--end-to-end starts a dry run of one customer").Nextf("name it with --customer NAME")
	}
	if o.all {
		customers = m.config.Customers
	} else if o.customer != "" {
		c, err := m.customer(o.customer)
		if err != nil {
			return nil, err
		}
		customers = append(customers, c)
	}
	x := examination{manager: m, doctor: d, slug: slug}
	operated, err := x.operated(o)
	if err != nil {
		return nil, err
	}
	own, err := s.access(envOwnToken, append(x.ownCommands(), slices.Sorted(maps.Keys(operated))...))
	if err != nil {
		return nil, err
	}
	source, err := s.access(envSourceToken, x.sourceCommands())
	if err != nil {
		return nil, err
	}
	checks := d.Manager(ctx, own, x.onGitHub())
	checks = append(checks, x.workflowFiles()...)
	for _, c := range customers {
		checks = append(checks, d.Customer(ctx, source, x.customer(ctx, c))...)
	}
	if source.GitHub != nil && len(customers) > 0 {
		checks = append(checks, d.Token(source)...)
		checks = append(checks, x.organizations(ctx, source, customers)...)
	}
	checks = append(checks, x.operator(ctx, own, source, operated)...)
	checks = append(checks, x.machine(ctx, customers)...)
	if o.endToEnd {
		c := customers[0]
		request := pipeline.Request{Customer: c.Name, SharedRepository: c.SharedRepository}
		return a.endToEnd(ctx, s, d, o, checks, doctor.Canary{Repository: c.Repository, Context: request.StatusContext(pipeline.Target{}), Marker: pipeline.Marker(slug, c.Name, "plan")})
	}
	return checks, nil
}

// operated are the repositories of customers that a person's commands write to, by command.
func (x examination) operated(o doctorOptions) (map[string]pipeline.Slug, error) {
	all := map[string]pipeline.Slug{}
	if o.onboard != "" {
		slug, err := pipeline.ParseSlug(o.onboard)
		if err != nil {
			return nil, pipeline.Usagef("--onboard").Because(err).Nextf("write it as OWNER/REPO")
		}
		all["onboard"] = slug
	}
	if o.offboard != "" {
		c, err := x.manager.customer(o.offboard)
		if err != nil {
			return nil, err
		}
		all["offboard"] = c.Repository
	}
	return all, nil
}

// operator looks at what these commands need there. The token for the manager stands in for one of its own.
func (x examination) operator(ctx context.Context, own, source doctor.Access, operated map[string]pipeline.Slug) (checks []doctor.Check) {
	for _, command := range slices.Sorted(maps.Keys(operated)) {
		access, repo := source, operated[command]
		if access.GitHub == nil {
			access = own
		}
		access.As, access.Commands, access.Reads = envSourceToken, []string{command}, true
		checks = append(checks, x.doctor.Operator(ctx, access, repo)...)
		if x.config.Manager.Properties != nil {
			checks = append(checks, x.doctor.Organization(ctx, access, repo.Owner)...)
		}
	}
	return checks
}

// endToEnd plays a dry run of a customer, beside the other checks.
func (a *App) endToEnd(ctx context.Context, s *step, d doctor.Doctor, o doctorOptions, checks []doctor.Check, canary doctor.Canary) ([]doctor.Check, error) {
	client, err := s.github.client(envOwnToken)
	if err != nil {
		return nil, err
	}
	_, canary.Pause = paces(s.context.APIURL)
	canary.Workflow, canary.Wait, canary.Sleep, canary.Logf = triggerWorkflow(), o.wait, a.Sleep, a.logf
	return append(checks, d.EndToEnd(ctx, envOwnToken, client, canary)...), ctx.Err()
}

func repositoryOf(named string, otherwise pipeline.Slug) (pipeline.Slug, error) {
	if named == "" {
		return otherwise, nil
	}
	slug, err := pipeline.ParseSlug(named)
	if err != nil {
		return slug, pipeline.Usagef("--repository").Because(err).Nextf("write it as OWNER/NAME")
	}
	return slug, nil
}

// examination is what doctor knows of the manager's checkout.
type examination struct {
	*manager
	doctor doctor.Doctor
	slug   pipeline.Slug
}

// has reports whether the checkout has a file.
func (x examination) has(name string) bool {
	_, err := fs.Stat(os.DirFS(x.dir), name)
	return err == nil
}

// ownCommands are the commands of this manager that use the token of its own repository.
func (x examination) ownCommands() []string {
	commands := []string{"apply", "drift", "fetch-vars", "sweep", "unlock"}
	if x.has(compliance.File) {
		commands = append(commands, "compliance")
	}
	return commands
}

// sourceCommands are those that use the token for customers' repositories.
func (x examination) sourceCommands() []string {
	commands := []string{"drift", "fetch-vars", "report", "sweep"}
	if x.config.Manager.Properties != nil {
		commands = append(commands, "properties")
	}
	return commands
}

// fleetCommands are those that read whole organizations.
func (x examination) fleetCommands() []string {
	commands := []string{}
	for name, file := range map[string]string{"compliance": compliance.File, "sync": sourcesync.File} {
		if x.has(file) {
			commands = append(commands, name)
		}
	}
	if x.config.Manager.Properties != nil {
		commands = append(commands, "properties")
	}
	slices.Sort(commands)
	return commands
}

// onGitHub is what the repository of the manager has to have.
func (x examination) onGitHub() doctor.Manager {
	rules := x.config.Manager
	m := doctor.Manager{Repository: x.slug, Environments: rules.Environments, Job: x.context.InActions}
	entries, err := fs.ReadDir(os.DirFS(x.dir), workflow.Dir)
	if err == nil {
		for _, e := range entries {
			if shipped, err := fs.Stat(workflows.Files, "manager/"+e.Name()); err == nil && !shipped.IsDir() {
				m.Workflows = append(m.Workflows, workflow.Dir+"/"+e.Name())
			}
		}
	}
	if len(rules.SealingKeys) == 0 {
		m.Secrets = append(m.Secrets, []string{envKey})
	}
	m.Secrets = append(m.Secrets, []string{envSourceToken, envAppKey})
	if rules.State.Bucket.Name == "" && rules.State.Directory == "" {
		m.Variables = append(m.Variables, []string{envBucket})
	}
	return m
}

// workflowFiles compares the workflows of the checkout with the shipped ones.
func (x examination) workflowFiles() []doctor.Check {
	check := doctor.Check{ID: "manager.workflow-files", Subject: x.slug.String(), State: doctor.OK, Evidence: "they are those of this version"}
	shipped, err := fs.Sub(workflows.Files, "manager")
	if err != nil {
		check.State, check.Evidence = doctor.Unknown, err.Error()
		return []doctor.Check{check}
	}
	root := os.DirFS(x.dir)
	missing, err := workflow.Missing(root, shipped)
	edited := workflow.Edited(root, shipped)
	switch {
	case err != nil:
		check.State, check.Evidence = doctor.Unknown, err.Error()
	case len(missing) > 0:
		names := []string{}
		for name := range missing {
			names = append(names, name)
		}
		slices.Sort(names)
		check.State, check.Evidence, check.Remedy = doctor.Fail, "missing: "+strings.Join(names, ", "), "run `metapipe validate --write-workflows` in the checkout"
	case len(edited) > 0:
		places := []string{}
		for _, p := range edited {
			places = append(places, p.String())
		}
		check.State, check.Evidence = doctor.Warn, "they differ from those of this version: "+strings.Join(places, ", ")
		check.Remedy = "compare them with workflows/manager of metapipe, and take over what is new"
	}
	return []doctor.Check{check}
}

// organizations looks at the permissions of the token in each organization of customers, where a command reads organizations.
func (x examination) organizations(ctx context.Context, source doctor.Access, customers []pipeline.Customer) (checks []doctor.Check) {
	if source.Commands = x.fleetCommands(); len(source.Commands) == 0 {
		return nil
	}
	seen := map[string]bool{}
	for _, c := range customers {
		if owner := strings.ToLower(c.Repository.Owner); !seen[owner] && !c.Offboarded {
			seen[owner] = true
			checks = append(checks, x.doctor.Organization(ctx, source, c.Repository.Owner)...)
		}
	}
	return checks
}

// printDoctor prints the checks that are not ok, and the numbers of all.
func (a *App) printDoctor(r doctor.Report) error {
	var b strings.Builder
	colors := map[doctor.State]string{doctor.Fail: text.Red, doctor.Warn: text.Yellow, doctor.Unknown: text.Yellow}
	for _, c := range r.Checks {
		if c.State == doctor.OK {
			continue
		}
		fmt.Fprintf(&b, "%s  %s  %s: %s\n", a.pen.Paint(colors[c.State], fmt.Sprintf("%-7s", c.State)), c.ID, render.TerminalLine(c.Subject), render.TerminalLine(c.Evidence))
		if c.Needs != "" {
			fmt.Fprintf(&b, "         needs: %s\n", render.TerminalLine(c.Needs))
		}
		if c.Remedy != "" {
			fmt.Fprintf(&b, "         → %s\n", render.TerminalLine(c.Remedy))
		}
	}
	fmt.Fprintf(&b, "%d ok, %d warn, %d fail, %d unknown\n", r.OK, r.Warned, r.Failed, r.Unknown)
	_, err := fmt.Fprint(a.Out, b.String())
	return err
}

// doctorCustomer looks at a customer's repository from the customer's side.
func (a *App) doctorCustomer(ctx context.Context, s *step, d doctor.Doctor, o doctorOptions) ([]doctor.Check, error) {
	for _, flag := range []struct {
		name  string
		given bool
	}{{"--all", o.all}, {"--onboard", o.onboard != ""}, {"--offboard", o.offboard != ""}} {
		if flag.given {
			return nil, pipeline.Usagef("%s is for the manager", flag.name).Nextf("leave out --role customer, or %s", flag.name)
		}
	}
	if err := a.checkoutDir("--customer-dir", cmp.Or(o.customerDir, ".")); err != nil {
		return nil, err
	}
	dir := a.absolute(o.customerDir)
	slug := s.remote(ctx, dir)
	if s.context.InActions {
		slug = s.context.Repository
	}
	slug, err := repositoryOf(o.repository, slug)
	if err != nil {
		return nil, err
	}
	if slug == (pipeline.Slug{}) {
		return nil, pipeline.Usagef("%s has no remote origin, so its repository on GitHub is not known", dir).Nextf("name it with --repository OWNER/NAME")
	}
	to := pipeline.Slug{Owner: a.getenv(envManagerOwner), Name: a.getenv(envManagerName)}
	receiver := to
	if inbox := a.getenv(envManagerInbox); inbox != "" {
		if receiver, err = pipeline.ParseSlug(inbox); err != nil {
			return nil, pipeline.Usagef("MANAGER_INBOX").Because(err).Nextf("set it to OWNER/NAME, or unset it")
		}
	}
	if _, err := pipeline.ParseSlug(receiver.String()); err != nil {
		return nil, pipeline.Usagef("the manager is not known").Because(err).Nextf("set MANAGER_REPO_OWNER and MANAGER_REPO_NAME as the variables of the repository say")
	}
	own, err := s.access(envOwnToken, []string{"trigger"})
	if err != nil {
		return nil, err
	}
	manager, err := s.access(envManagerToken, []string{"trigger"})
	if err != nil {
		return nil, err
	}
	rules := config.Default()
	c := doctor.Customer{Repository: slug, Path: config.DefaultPath, Workflow: triggerWorkflow(), Shipped: shippedTrigger(), Manager: to, Inbox: receiver != to,
		Variables: builtInRules(rules)}
	checks := d.Side(ctx, own, manager, c, receiver)
	if o.endToEnd {
		return a.endToEnd(ctx, s, d, o, checks, doctor.Canary{Repository: slug, Context: pipeline.Request{}.StatusContext(pipeline.Target{})})
	}
	return checks, nil
}
