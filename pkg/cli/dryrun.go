package cli

import (
	"context"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

type planOptions struct {
	targetOptions
	customerDir string
	json, state bool
}

// dryRun plans a customer checkout on a laptop.
func (a *App) dryRun(ctx context.Context, o planOptions) error {
	s, err := a.newStep()
	if err != nil {
		return err
	}
	s.only = o.customer
	m, guessed, err := s.loadManagerOrDefault(o.managerDir)
	if err == nil && o.state && guessed { // no dry run looks at a real state
		err = s.noManager(m.dir)
	}
	if err != nil {
		return err
	}
	job, remove, err := dryRunOf(m).job(ctx, o, guessed)
	if err != nil {
		return err
	}
	defer remove()
	engine, err := capable[pipeline.ReadOnlyPlanner](m, job.Customer, job.Stack, pipeline.CapabilityReadOnly)
	if err != nil {
		return err
	}
	dry := deploy.DryRun{Engine: engine}
	if o.state {
		lostStatesOf(m).guard(&dry, job)
	}
	if job.Needed, err = dryRunOf(m).needed(ctx, job, o.state); err != nil {
		return err
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

// loadManagerOrDefault lets a manager checkout without metapipe.yml be tried;
// guessed says that it has none.
func (s *step) loadManagerOrDefault(dir string) (m *manager, guessed bool, err error) {
	if dir, err = s.app.managerDir(dir); err != nil {
		return nil, false, err
	}
	c, problems := s.configuration(dir)
	if !config.IsMissing(problems) {
		m, err = s.newManager(dir, c, problems)
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
	t := pipeline.Target{Customer: c.Name} // without an environment DryRun says which there are
	if o.filters() {
		if t, err = parseTarget(c, o.targetOptions); err != nil {
			return job, nil, err
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
	job = pipeline.Job{Customer: c, Environment: t.Environment, Stack: t.Stack, Variables: document, ManagerDir: m.dir, Log: m.app.Err}
	if o.state {
		if m.place(o.store).isMissing() {
			return job, nil, m.place(o.store).missing()
		}
		if err := credentialsOf(m.manager).confine(ctx, c, t, pipeline.WorkPlan); err != nil {
			return job, nil, err
		}
		if err := m.openStore(ctx, o.store); err != nil {
			return job, nil, err
		}
		if err := registry.CheckRegistered(ctx, m.store, nil, c); err != nil {
			return job, nil, err
		}
		if err := m.checkHistory(ctx, c, t); err != nil {
			return job, nil, err
		}
		job.Backend = m.backend(t)
	}
	job.Dir, remove, err = m.workDir(o.directories)
	return job, remove, err
}

// checkHistory refuses a plan on the state of another customer, and the first plan of an
// environment that may be a renamed one. In Actions fetch-vars looks for that: the role of a
// plan sees one target.
func (m dryRun) checkHistory(ctx context.Context, c pipeline.Customer, t pipeline.Target) error {
	s := record.Records{Store: m.store}
	if err := registry.CheckOwner(ctx, s, c, t); err != nil || m.context.InActions {
		return err
	}
	if first, err := ledger.NeverApplied(ctx, s, t); err != nil || !first {
		return err
	}
	return registry.CheckFirstPlan(ctx, s, c, t)
}

// dryRunCustomer is the registered customer that the checkout belongs to, or one
// made up for the checkout.
func (m dryRun) dryRunCustomer(ctx context.Context, o planOptions) (pipeline.Customer, error) {
	dir := m.app.absolute(o.customerDir)
	if o.state && o.customer == "" {
		return pipeline.Customer{}, pipeline.Usagef("--state needs --customer: states belong to registered customers").
			Nextf("%s", m.config.Advice())
	}
	match, err := m.match(ctx, m.config, config.Checkout{Dir: dir, Name: o.customer})
	if err != nil || match.Found {
		return match.Customer, err
	}
	c := config.Unregistered(m.config.Manager, m.dir, filepath.Base(dir))
	// The roots of stacks are checked with the configuration.
	if len(c.Manager.Stacks) == 0 && !config.HoldsCode(filepath.Join(m.dir, c.Root)) {
		return c, pipeline.Usagef("%s has no Terraform code, neither in %s/ nor at its top", m.dir, c.Root).
			Nextf("name the manager checkout with --manager-dir, or a customer with another root with --customer")
	}
	return c, nil
}
