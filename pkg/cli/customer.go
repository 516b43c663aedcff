package cli

import (
	"context"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// customer finds a registered customer by its flag.
func (m *manager) customer(name string) (pipeline.Customer, error) { return m.config.Named(name) }

// environment reads a flag that names an environment of metapipe.yml. It does not
// look whether a customer may use it.
func (m *manager) environment(flag, name string) (pipeline.Environment, error) {
	choices := "one of " + pipeline.JoinNames(environmentsOf(m.config.Manager))
	if name == "" {
		return "", pipeline.Usagef("--%s is missing", flag).Nextf("%s", choices)
	}
	if _, ok := m.config.Manager.Rule(pipeline.Environment(name)); !ok {
		return "", pipeline.Usagef("environment %q does not exist in %s", name, config.ManagerFile).Nextf("%s%s", pipeline.DidYouMean(name, environmentsOf(m.config.Manager)), choices)
	}
	return pipeline.Environment(name), nil
}

// storedEnvironment is environment for a command that opens the store later: it may know an
// environment that metapipe.yml does not declare any more.
func (m *manager) storedEnvironment(name, store string) (pipeline.Environment, error) {
	env, missing := m.environment("environment", name)
	if missing == nil {
		return env, nil
	}
	if stored, err := pipeline.ParseEnvironment(name); err == nil && !m.place(store).isMissing() {
		return stored, nil
	}
	return "", missing
}

// allowed refuses an environment that the customer may not use.
func allowed(c pipeline.Customer, env pipeline.Environment) error {
	if c.Allows(env) {
		return nil
	}
	return pipeline.Usagef("customer %s may not use the environment %q", c.Name, env).
		Nextf("one of %s; %s says which", pipeline.AllowedNames(c), c.File)
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

// environmentsOf are the names in promotion order.
func environmentsOf(m pipeline.Manager) []pipeline.Environment {
	names := make([]pipeline.Environment, len(m.Environments))
	for i, rule := range m.Environments {
		names[i] = rule.Name
	}
	return names
}
