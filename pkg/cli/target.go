package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
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
		return credentialsOf(m).confine(ctx, c, c.Name.In(env), work)
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
		return c, "", pipeline.Usagef("--environment is missing").Nextf("one of %s", pipeline.AllowedNames(c))
	}
	env, err := pipeline.ParseEnvironment(o.environment)
	if err != nil {
		return c, "", pipeline.Usagef("--environment").Because(err).Nextf("one of %s", pipeline.AllowedNames(c))
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
		Backend: m.backend(c.Name.In(env)), SpareDir: m.spareDir(o.directories), Run: m.run(), Host: hostname(), Actor: m.operator(), Receipt: o.receipt, Log: m.app.Err, Mask: m.app.masking}, remove, nil
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

// storedTarget reads a flag that names an environment of a customer: one that the
// customer may use, or one that the store still has something of.
func (m targetFlags) storedTarget(ctx context.Context, c pipeline.Customer, name string) (pipeline.Environment, error) {
	env, missing := m.environment("environment", name)
	if missing == nil && c.Allows(env) {
		return env, nil
	}
	if stored, err := pipeline.ParseEnvironment(name); err == nil {
		if known, err := intake.TargetKnown(ctx, m.store, c.Name.In(stored)); err != nil || known {
			return stored, err
		}
	}
	if missing != nil {
		return "", missing
	}
	return "", allowed(c, env)
}

// stored are the environments of metapipe.yml that the customer may use, and those that
// the store still has something of, also where metapipe.yml has them no more.
func (m targetFlags) stored(ctx context.Context, c pipeline.Customer) ([]pipeline.Environment, error) {
	var all []pipeline.Environment
	for _, rule := range c.Manager.Environments {
		if !c.Allows(rule.Name) {
			if known, err := intake.TargetKnown(ctx, m.store, c.Name.In(rule.Name)); err != nil {
				return nil, err
			} else if !known {
				continue
			}
		}
		all = append(all, rule.Name)
	}
	envs, err := registry.StoredEnvironments(ctx, m.store, c.Name)
	if err != nil {
		return all, err
	}
	for _, env := range envs {
		if _, declared := c.Manager.Rule(env); declared {
			continue
		}
		if known, err := intake.TargetKnown(ctx, m.store, c.Name.In(env)); err != nil {
			return all, err
		} else if known {
			all = append(all, env)
		}
	}
	return all, nil
}

// request reads the flag that names a request of a customer: its whole id, or the
// beginning that statuses, comments and the ledger print. The store must be open.
func (m targetFlags) request(ctx context.Context, c pipeline.Customer, given string) (pipeline.RequestID, error) {
	if err := checkRequest(given); err != nil {
		return "", err
	}
	if id, err := pipeline.ParseRequestID(given); err == nil {
		return id, nil
	}
	ids, err := record.RequestsLike(ctx, m.store, c.Name, given)
	if err != nil {
		return "", err
	}
	switch len(ids) {
	case 0:
		return "", pipeline.Usagef("request %s of customer %s does not exist", given, c.Name).
			Nextf("`metapipe ledger --customer %s` lists the requests", c.Name)
	case 1:
		return ids[0], nil
	}
	return "", pipeline.Usagef("%d requests of customer %s begin with %s", len(ids), c.Name, given).
		Nextf("pass the whole id: %s, %s …", ids[0], ids[1])
}
