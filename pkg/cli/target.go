package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

type targetOptions struct {
	directories
	customer, request, environment, stack, receipt string
	awaitReport                                    bool
}

// stackFlag is the flag that names a stack beside an environment.
func (o *targetOptions) stackFlag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&o.stack, "stack", "", "stack `NAME`; can be left out where the customer has only one")
}

func (o *targetOptions) targetFlags(cmd *cobra.Command) {
	o.flags(cmd)
	o.runFlag(cmd)
	cmd.Flags().StringVar(&o.customer, "customer", "", "customer `NAME`")
	cmd.Flags().StringVar(&o.request, "request", "", "request `ID`: the whole one that fetch-vars put out, or the short one of a status")
	cmd.Flags().StringVar(&o.environment, "environment", "", "environment `NAME`")
	o.stackFlag(cmd)
}

// onTarget opens the manager and the target that the flags name, with the role of
// the target where there is one, and removes the run directory afterwards.
func (a *App) onTarget(ctx context.Context, o targetOptions, work pipeline.Work, do func(*manager, pipeline.TargetInput) error) error {
	o.only = o.customer
	m, err := a.openManagerAfter(ctx, o.directories, func(m *manager) error {
		c, t, err := targetFlagsOf(m).namedTarget(o)
		if err != nil {
			return err
		}
		if err := checkRequest(o.request); err != nil {
			return err
		}
		return credentialsOf(m).confine(ctx, c, t, work)
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
func (m targetFlags) namedTarget(o targetOptions) (pipeline.Customer, pipeline.Target, error) {
	c, err := m.customer(o.customer)
	if err != nil {
		return c, pipeline.Target{}, err
	}
	t, err := parseTarget(c, o)
	return c, t, err
}

// parseTarget reads the flags that name a target of a customer, without a look whether the
// customer may use the environment.
func parseTarget(c pipeline.Customer, o targetOptions) (pipeline.Target, error) {
	if o.environment == "" {
		return pipeline.Target{}, pipeline.Usagef("--environment is missing").Nextf("one of %s", pipeline.AllowedNames(c))
	}
	env, err := pipeline.ParseEnvironment(o.environment)
	if err != nil {
		return pipeline.Target{}, pipeline.Usagef("--environment").Because(err).Nextf("one of %s", pipeline.AllowedNames(c))
	}
	stack, err := stackOf(c, o.stack)
	return pipeline.Target{Customer: c.Name, Environment: env, Stack: stack}, err
}

// stackOf reads a flag that names a stack of a customer. Where stacks have names, it can be left
// out for the only one of the customer, and for no other; it must be empty where they have none.
func stackOf(c pipeline.Customer, name string) (pipeline.StackName, error) {
	stacks := c.StackNames()
	choices := "one of " + pipeline.JoinNames(stacks)
	switch {
	case slices.Contains(stacks, pipeline.StackName(name)):
		return pipeline.StackName(name), nil
	case len(c.Manager.Stacks) == 0:
		return "", pipeline.Usagef("--stack is %s, and %s names no stacks", pipeline.QuoteTyped(name), config.ManagerFile).Nextf("leave --stack out")
	case name == "" && len(stacks) == 1:
		return stacks[0], nil
	case name == "":
		return "", pipeline.Usagef("--stack is missing").Nextf("%s", choices)
	}
	if like := pipeline.Nearest(name, strings.Split(pipeline.JoinNames(stacks), ", ")); like != "" {
		choices = fmt.Sprintf("did you mean %q? There is %s", like, choices)
	}
	return "", pipeline.Usagef("customer %s has no stack %s", c.Name, pipeline.QuoteTyped(name)).Nextf("%s", choices)
}

// targetInput reads the flags that name a target and its request.
func (m targetFlags) targetInput(ctx context.Context, o targetOptions) (in pipeline.TargetInput, remove func(), err error) {
	c, t, err := m.namedTarget(o)
	if err != nil {
		return in, nil, err
	}
	id, err := m.request(ctx, c, o.request)
	if err != nil {
		return in, nil, err
	}
	dir, remove, err := m.workDir(o.directories, string(c.Name), t.Part())
	if err != nil {
		return in, nil, err
	}
	return pipeline.TargetInput{Customer: c, Request: id, Environment: t.Environment, Stack: t.Stack, ManagerDir: m.dir, ManagerCommit: m.commit(ctx), RunDir: dir,
		Backend: m.backend(t), SpareDir: m.spareDir(o.directories), Run: m.run(), Host: hostname(), Actor: m.operator(), Receipt: o.receipt, Log: m.app.Err, Mask: m.app.masking}, remove, nil
}

// target reads the flags that name a target: one that the customer may use, or one that
// the store still has something of.
func (m targetFlags) target(ctx context.Context, o targetOptions) (pipeline.Customer, pipeline.Target, error) {
	c, err := m.customer(o.customer)
	if err != nil {
		return c, pipeline.Target{}, err
	}
	t, err := m.storedTarget(ctx, c, o)
	return c, t, err
}

// onStoredTarget opens the manager and the target that the flags name: one that the
// customer may use, or one that the store still has something of.
func (a *App) onStoredTarget(ctx context.Context, o targetOptions) (m *manager, c pipeline.Customer, t pipeline.Target, err error) {
	m, err = a.stateManager(ctx, stateOptions{targetOptions: o}, func(m *manager) error { return targetFlagsOf(m).checkTarget(o) })
	if err != nil {
		return nil, c, t, err
	}
	c, t, err = targetFlagsOf(m).target(ctx, o)
	return m, c, t, err
}

// checkTarget checks as much of the flags that name a target as needs no store. An
// environment or a stack that metapipe.yml does not have any more may be in the store.
func (m targetFlags) checkTarget(o targetOptions) error {
	c, err := m.customer(o.customer)
	if err != nil {
		return err
	}
	_, missing := m.configured(c, o)
	if missing == nil {
		return nil
	}
	if _, err := storedForm(c, o); err == nil && !m.place(o.store).isMissing() {
		return nil
	}
	return missing
}

// configured reads the flags that name a target that the customer has.
func (m targetFlags) configured(c pipeline.Customer, o targetOptions) (pipeline.Target, error) {
	env, err := m.environment("environment", o.environment)
	if err != nil {
		return pipeline.Target{}, err
	}
	if err := allowed(c, env); err != nil {
		return pipeline.Target{}, err
	}
	stack, err := stackOf(c, o.stack)
	return pipeline.Target{Customer: c.Name, Environment: env, Stack: stack}, err
}

// storedForm reads the flags as the store may know a target that is not configured.
func storedForm(c pipeline.Customer, o targetOptions) (pipeline.Target, error) {
	env, err := pipeline.ParseEnvironment(o.environment)
	t := pipeline.Target{Customer: c.Name, Environment: env}
	if err == nil && o.stack != "" {
		t.Stack, err = pipeline.ParseStackName(o.stack)
	}
	return t, err
}

// storedTarget reads the flags that name a target of a customer: one that the customer
// has, or one that the store still has something of.
func (m targetFlags) storedTarget(ctx context.Context, c pipeline.Customer, o targetOptions) (pipeline.Target, error) {
	t, missing := m.configured(c, o)
	if missing == nil && string(t.Stack) == o.stack {
		return t, nil
	}
	// Without --stack, what the store has of the time before stacks comes before the only stack.
	if stored, err := storedForm(c, o); err == nil {
		if known, err := intake.TargetKnown(ctx, m.store, stored); err != nil || known {
			return stored, err
		}
	}
	return t, missing
}

// stored are the targets that the customer has, and those that the store still has
// something of, also where metapipe.yml has them no more.
func (m targetFlags) stored(ctx context.Context, c pipeline.Customer) ([]pipeline.Target, error) {
	var all []pipeline.Target
	for _, t := range c.Manager.Chain() {
		t.Customer = c.Name
		if !c.Has(t) {
			if known, err := intake.TargetKnown(ctx, m.store, t); err != nil {
				return nil, err
			} else if !known {
				continue
			}
		}
		all = append(all, t)
	}
	stored, err := registry.StoredTargets(ctx, m.store, c.Name)
	if err != nil {
		return all, err
	}
	for _, t := range stored {
		if c.Manager.Declares(t) {
			continue
		}
		if known, err := intake.TargetKnown(ctx, m.store, t); err != nil {
			return all, err
		} else if known {
			all = append(all, t)
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
