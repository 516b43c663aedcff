package cli

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/gitrepo"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
)

// customer finds a registered customer by its flag.
func (m *manager) customer(name string) (pipeline.Customer, error) { return m.config.Named(name) }

// environment reads a flag that names an environment of metapipe.yml. It does not
// look whether a customer may use it.
func (m *manager) environment(flag, name string) (pipeline.Environment, error) {
	choices := "one of " + pipeline.JoinNames(environmentsOf(m.config.Manager))
	if name == "" {
		return "", &pipeline.UsageError{Message: "--" + flag + " is missing", Next: choices}
	}
	if _, ok := m.config.Manager.Rule(pipeline.Environment(name)); !ok {
		return "", &pipeline.UsageError{Message: fmt.Sprintf("environment %q does not exist in %s", name, config.ManagerFile), Next: choices}
	}
	return pipeline.Environment(name), nil
}

// storedTarget reads a flag that names an environment of a customer: one that the
// customer may use, or one that the store still has something of.
func (m targetFlags) storedTarget(ctx context.Context, c pipeline.Customer, name string) (pipeline.Environment, error) {
	env, missing := m.environment("environment", name)
	if missing == nil && c.Allows(env) {
		return env, nil
	}
	if stored, err := pipeline.ParseEnvironment(name); err == nil {
		if known, err := intake.TargetKnown(ctx, m.store, c.Name, stored); err != nil || known {
			return stored, err
		}
	}
	if missing != nil {
		return "", missing
	}
	return "", allowed(c, env)
}

// stored are the environments of metapipe.yml that the customer may use, and those that
// the store still has something of.
func (m targetFlags) stored(ctx context.Context, c pipeline.Customer) ([]pipeline.Environment, error) {
	var all []pipeline.Environment
	for _, rule := range c.Manager.Environments {
		if !c.Allows(rule.Name) {
			if known, err := intake.TargetKnown(ctx, m.store, c.Name, rule.Name); err != nil {
				return nil, err
			} else if !known {
				continue
			}
		}
		all = append(all, rule.Name)
	}
	return all, nil
}

// allowed refuses an environment that the customer may not use.
func allowed(c pipeline.Customer, env pipeline.Environment) error {
	if c.Allows(env) {
		return nil
	}
	return &pipeline.UsageError{Message: fmt.Sprintf("customer %s may not use the environment %q", c.Name, env), Next: "one of " + pipeline.AllowedNames(c) + "; " + c.File + " says which"}
}

// match finds the customer that a checkout belongs to, and says whom it took.
func (s *step) match(ctx context.Context, c config.Config, checkout config.Checkout) (config.Match, error) {
	if err := s.app.checkoutDir("--customer-dir", checkout.Dir); err != nil {
		return config.Match{}, err
	}
	checkout.Remote = s.remote(ctx, checkout.Dir)
	m, err := c.Match(checkout)
	if err != nil {
		return m, err
	}
	if m.Found {
		s.app.logf("%s", m)
	} else {
		s.app.logf("%s: %s", m, c.Advice())
	}
	return m, nil
}

// remote is the repository that the remote origin of a checkout names; the zero
// value where none is known.
func (s *step) remote(ctx context.Context, dir string) pipeline.Slug {
	repository, ok := gitrepo.Open(ctx, dir, s.app.Environ)
	if !ok {
		return pipeline.Slug{}
	}
	url, ok := repository.Origin(ctx)
	if !ok {
		return pipeline.Slug{}
	}
	slug, _ := pipeline.ParseRemote(url)
	return slug
}

// environmentsOf are the names in promotion order.
func environmentsOf(m pipeline.Manager) []pipeline.Environment {
	names := make([]pipeline.Environment, len(m.Environments))
	for i, rule := range m.Environments {
		names[i] = rule.Name
	}
	return names
}
