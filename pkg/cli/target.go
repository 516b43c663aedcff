package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

type targetOptions struct {
	directories
	customer, request, environment, receipt string
}

func (o *targetOptions) targetFlags(cmd *cobra.Command) {
	o.flags(cmd)
	o.runFlag(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME`")
	cmd.Flags().StringVar(&o.request, "request", "", "request `ID`: the whole one that fetch-vars put out, or the short one of a status")
	cmd.Flags().StringVar(&o.environment, "environment", "", "environment `NAME`")
}

// onTarget opens the manager and the target that the flags name, with the role of
// the target where there is one, and removes the run directory afterwards.
func (a *App) onTarget(ctx context.Context, o targetOptions, work pipeline.Work, do func(*manager, pipeline.TargetInput) error) error {
	o.only = o.customer
	m, err := a.openManagerAfter(ctx, o.directories, func(m *manager) error {
		c, env, err := targetFlagsOf(m).namedTarget(o)
		if err != nil {
			return err
		}
		if err := checkRequest(o.request); err != nil {
			return err
		}
		return credentialsOf(m).confine(ctx, c, env, work)
	})
	if err != nil {
		return err
	}
	in, remove, err := targetFlagsOf(m).targetInput(ctx, o)
	if err != nil {
		return err
	}
	defer remove()
	return do(m, in)
}

// targetFlags reads the flags that name a target and a request.
type targetFlags struct{ *manager }

func targetFlagsOf(m *manager) targetFlags { return targetFlags{m} }

// namedTarget reads the flags that name a target.
func (m targetFlags) namedTarget(o targetOptions) (pipeline.Customer, pipeline.Environment, error) {
	c, err := m.customer(o.customer)
	if err != nil {
		return c, "", err
	}
	if o.environment == "" {
		return c, "", &pipeline.UsageError{Message: "--environment is missing", Next: "one of " + pipeline.AllowedNames(c)}
	}
	env, err := pipeline.ParseEnvironment(o.environment)
	if err != nil {
		return c, "", &pipeline.UsageError{Message: "--environment", Err: err, Next: "one of " + pipeline.AllowedNames(c)}
	}
	return c, env, nil
}

// targetInput reads the flags that name a target and its request.
func (m targetFlags) targetInput(ctx context.Context, o targetOptions) (in pipeline.TargetInput, remove func(), err error) {
	c, env, err := m.namedTarget(o)
	if err != nil {
		return in, nil, err
	}
	id, err := m.request(ctx, c, o.request)
	if err != nil {
		return in, nil, err
	}
	dir, remove, err := m.workDir(o.directories, string(c.Name), string(env))
	if err != nil {
		return in, nil, err
	}
	return pipeline.TargetInput{Customer: c, Request: id, Environment: env, ManagerDir: m.dir, ManagerCommit: m.commit(ctx), RunDir: dir,
		Backend: m.backend(c, env), SpareDir: m.spareDir(o.directories), Run: m.run(), Host: hostname(), Actor: m.operator(), Receipt: o.receipt, Log: m.app.Err, Mask: m.app.masking}, remove, nil
}

// target reads the flags that name a target: one that the customer may use, or one that
// the store still has something of.
func (m targetFlags) target(ctx context.Context, o targetOptions) (pipeline.Customer, pipeline.Environment, error) {
	c, err := m.customer(o.customer)
	if err != nil {
		return c, "", err
	}
	env, err := m.storedTarget(ctx, c, o.environment)
	return c, env, err
}

// onStoredTarget opens the manager and the target that the flags name: one that the
// customer may use, or one that the store still has something of.
func (a *App) onStoredTarget(ctx context.Context, o targetOptions) (m *manager, c pipeline.Customer, env pipeline.Environment, err error) {
	m, err = a.stateManager(ctx, stateOptions{targetOptions: o}, func(m *manager) error { return targetFlagsOf(m).checkTarget(o) })
	if err != nil {
		return nil, c, "", err
	}
	c, env, err = targetFlagsOf(m).target(ctx, o)
	return m, c, env, err
}

// checkTarget checks as much of the flags that name a target as needs no store. An
// environment that metapipe.yml does not have any more may be in the store.
func (m targetFlags) checkTarget(o targetOptions) error {
	c, err := m.customer(o.customer)
	if err != nil {
		return err
	}
	env, missing := m.environment("environment", o.environment)
	if missing == nil && c.Allows(env) {
		return nil
	}
	if _, err := pipeline.ParseEnvironment(o.environment); err == nil && !m.place(o.store).isMissing() {
		return nil
	}
	if missing != nil {
		return missing
	}
	return allowed(c, env)
}
