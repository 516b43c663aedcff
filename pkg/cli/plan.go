package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
	"github.com/metapipe/metapipe/pkg/report"
)

type planOptions struct {
	targetOptions
	customerDir string
	json, state bool
}

func newPlanCmd(app *App) *cobra.Command {
	var o planOptions
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Plan one target: of a request, or of a customer checkout as a dry run",
		Long: `plan makes the plan of one target (customer × environment) of a request, seals it
and puts it with its receipt into the store, where apply finds it.

With --customer-dir it is a dry run on a laptop: it plans the customer checkout
with the manager checkout and prints the Markdown that would be the comment. The
state is a scratch one unless --state reads the real one (without a lock); nothing
is written to it. The customer need not be registered.

Where metapipe.yml or the customer's file names a role, it is taken with the run's ID
token and cut to the target; the store and the tool get no other AWS credentials.

Environment: METAPIPE_KEY (not for a dry run); METAPIPE_TOOL, the path of the
terraform or tofu binary that plans (default: the first fitting one in PATH).
Outputs: outcome, reason, has-changes, receipt (its SHA-256, for apply), receipt-code
(what people compare), create, update, replace, delete, import, move, forget, invoke.`,
		Example: "  metapipe plan --customer-dir ../shop-platform --environment staging",
		Args:    noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if o.customerDir != "" {
				return app.dryRun(cmd.Context(), o)
			}
			return app.plan(cmd.Context(), o.targetOptions)
		},
	}
	o.targetFlags(cmd)
	cmd.Flags().StringVar(&o.customerDir, "customer-dir", "", "dry run: `DIR` of the customer checkout")
	cmd.Flags().BoolVar(&o.json, "json", false, "dry run: print JSON instead of Markdown")
	cmd.Flags().BoolVar(&o.state, "state", false, "dry run: plan against the real state of --customer, without a lock")
	return cmd
}

func (a *App) plan(ctx context.Context, o targetOptions) error {
	return a.onTarget(ctx, o, pipeline.WorkPlan, func(m *manager, in pipeline.TargetInput) error {
		planner := &deploy.Planner{Store: m.store, Sealer: m.sealer, Engine: m.engine(), Parse: m.parse, Now: a.Now}
		result, err := planner.Run(ctx, in)
		return errors.Join(err, m.planOutputs(result))
	})
}

func (s *step) planOutputs(r deploy.TargetResult) error {
	pairs := []string{"outcome", string(r.Outcome), "reason", string(r.Reason), "has-changes", strconv.FormatBool(r.HasChanges), "receipt", r.Receipt, "receipt-code", r.ReceiptCode}
	var c pipeline.Counts
	if r.Plan != nil {
		c = r.Plan.Counts
	}
	for _, n := range []struct {
		name  string
		count int
	}{{"create", c.Create}, {"update", c.Update}, {"replace", c.Replace}, {"delete", c.Delete}, {"import", c.Import}, {"move", c.Move}, {"forget", c.Forget}, {"invoke", c.Invoke}} {
		pairs = append(pairs, n.name, strconv.Itoa(n.count))
	}
	return s.outputs(pairs...)
}

// dryRun plans a customer checkout on a laptop.
func (a *App) dryRun(ctx context.Context, o planOptions) error {
	s, err := a.newStep()
	if err != nil {
		return err
	}
	s.only = o.customer
	m, guessed, err := s.loadManagerOrDefault(o.managerDir)
	if err == nil && o.state { // no dry run looks at a real state
		_, err = s.loadManager(o.managerDir)
	}
	if err != nil {
		return err
	}
	job, remove, err := dryRunOf(m).job(ctx, o, guessed)
	if err != nil {
		return err
	}
	defer remove()
	dry := deploy.DryRun{Engine: m.engine()}
	if o.state {
		dry.Check = func(ctx context.Context, planned pipeline.Planned) error {
			return lostStatesOf(m).check(ctx, job, planned)
		}
	}
	target, err := dry.Run(ctx, job)
	var failed *pipeline.FailedError
	if err != nil && !errors.As(err, &failed) {
		return err
	}
	if s.context.InActions { // others read that log; a laptop is the operator's own
		target = target.Redacted(job.Customer.Manager.Redaction)
	}
	return errors.Join(err, a.printTarget(target, o.json))
}

func (a *App) printTarget(target pipeline.TargetReport, asJSON bool) error {
	if !asJSON {
		_, err := fmt.Fprintln(a.Out, report.Renderer{}.Plan(target))
		return err
	}
	encoder := json.NewEncoder(a.Out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(target)
}

// loadManagerOrDefault lets a manager checkout without metapipe.yml be tried;
// guessed says that it has none.
func (s *step) loadManagerOrDefault(dir string) (m *manager, guessed bool, err error) {
	if dir, err = s.app.managerDir(dir); err != nil {
		return nil, false, err
	}
	c, problems := s.configuration(dir)
	if !config.IsMissing(problems) {
		m, err = s.readManager(dir)
		return m, false, err
	}
	// With its customers: their roots and paths hold here too.
	return &manager{step: s, dir: dir, config: c, rules: newRules(dir)}, true, nil
}

// dryRun plans a checkout of a customer without a request.
type dryRun struct{ *manager }

func dryRunOf(m *manager) dryRun { return dryRun{m} }

// guess gives a manager without metapipe.yml the environments that the
// customer's file declares.
func (m dryRun) guess(document pipeline.Document) {
	var declared []string
	for _, d := range document.Environments() {
		declared = append(declared, d.Name)
	}
	m.config.Manager = config.DefaultFor(declared)
	var names []string
	for _, rule := range m.config.Manager.Environments {
		names = append(names, string(rule.Name))
	}
	if _, err := exec.LookPath(m.config.Manager.Tool.Name); err != nil {
		if _, err := exec.LookPath("tofu"); err == nil {
			m.config.Manager.Tool.Name = "tofu"
		}
	}
	m.app.logf("%s has no %s: using the environments of the customer's file: %s", m.dir, config.ManagerFile, strings.Join(names, ", "))
}

func (m dryRun) job(ctx context.Context, o planOptions, guessed bool) (job pipeline.Job, remove func(), err error) {
	c, err := m.dryRunCustomer(ctx, o)
	if err != nil {
		return job, nil, err
	}
	if c.Offboarded {
		m.app.logf("customer %s is offboarded (%s): this plan is only shown, and its environments can only be destroyed", c.Name, c.File)
	}
	env := pipeline.Environment("") // DryRun says which there are
	if o.environment != "" {
		if env, err = pipeline.ParseEnvironment(o.environment); err != nil {
			return job, nil, &pipeline.UsageError{Message: "--environment", Err: err, Next: "one of " + pipeline.AllowedNames(c)}
		}
	}
	file := filepath.ToSlash(filepath.Join(c.Path, pipeline.VariablesFile))
	raw, problems := m.rules.read(c, m.app.absolute(o.customerDir), file)
	var document pipeline.Document
	if problems.Err() == nil {
		document, problems = m.parse(c, file, raw)
	}
	if problems.Err() != nil {
		return job, nil, &pipeline.RejectedError{Reason: pipeline.ReasonInvalidVariables, Message: "variables.yml has problems", Problems: problems}
	}
	if guessed {
		m.guess(document)
		c.Manager = m.config.Manager
	}
	job = pipeline.Job{Customer: c, Environment: env, Variables: document, ManagerDir: m.dir, Log: m.app.Err}
	if o.state {
		if m.place(o.store).isMissing() {
			return job, nil, m.place(o.store).missing()
		}
		if err := credentialsOf(m.manager).confine(ctx, c, env, pipeline.WorkPlan); err != nil {
			return job, nil, err
		}
		if err := m.openStore(ctx, o.store); err != nil {
			return job, nil, err
		}
		if err := registry.CheckRegistered(ctx, m.store, nil, c); err != nil {
			return job, nil, err
		}
		if err := registry.CheckOwner(ctx, record.Records{Store: m.store}, c, env); err != nil {
			return job, nil, err
		}
		job.Backend = m.backend(c, env)
	}
	job.Dir, remove, err = m.workDir(o.directories)
	return job, remove, err
}

// dryRunCustomer is the registered customer that the checkout belongs to, or one
// made up for the checkout.
func (m dryRun) dryRunCustomer(ctx context.Context, o planOptions) (pipeline.Customer, error) {
	dir := m.app.absolute(o.customerDir)
	if o.state && o.customer == "" {
		return pipeline.Customer{}, &pipeline.UsageError{Message: "--state needs --customer: states belong to registered customers", Next: m.config.Advice()}
	}
	match, err := m.match(ctx, m.config, config.Checkout{Dir: dir, Name: o.customer})
	if err != nil || match.Found {
		return match.Customer, err
	}
	c := config.Unregistered(m.config.Manager, m.dir, filepath.Base(dir))
	if !config.HoldsCode(filepath.Join(m.dir, c.Root)) {
		return c, &pipeline.UsageError{Message: fmt.Sprintf("%s has no Terraform code, neither in %s/ nor at its top", m.dir, c.Root), Next: "name the manager checkout with --manager-dir, or a customer with another root with --customer"}
	}
	return c, nil
}
