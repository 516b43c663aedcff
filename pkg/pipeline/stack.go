package pipeline

import (
	"maps"
	"slices"
)

// StackRule is one stack of metapipe.yml.
type StackRule struct {
	Name StackName
	Root string // root module, relative to the manager directory
	Tool ToolRule
	// Needs are the stacks whose outputs this one reads. Each stands earlier in the list.
	Needs []StackName `json:",omitempty"`
	// Runner plans and applies it, where a customer's file names no other one; empty: Actions.
	Runner Runner `json:",omitempty"`
}

// Stack returns the rule of a named stack, and false when metapipe.yml does not declare it.
func (m Manager) Stack(name StackName) (StackRule, bool) {
	if i := slices.IndexFunc(m.Stacks, func(s StackRule) bool { return s.Name == name }); i >= 0 {
		return m.Stacks[i], true
	}
	return StackRule{}, false
}

// ToolEnviron are the variables of the environment that metapipe.yml gives to tools: names,
// or prefixes ending in "*".
func (m Manager) ToolEnviron() []string {
	names := slices.Clone(m.Tool.Env)
	for _, stack := range m.Stacks {
		secrets := stack.Tool.SecretVariables()
		for _, key := range slices.Sorted(maps.Keys(secrets)) {
			if name := secrets[key]; !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// StackNames are the stacks of metapipe.yml in their order: one without a name where it
// declares none.
func (m Manager) StackNames() []StackName {
	if len(m.Stacks) == 0 {
		return []StackName{""}
	}
	names := make([]StackName, len(m.Stacks))
	for i, s := range m.Stacks {
		names[i] = s.Name
	}
	return names
}

// Declares reports whether metapipe.yml has the environment and the stack of a target,
// for whatever customer.
func (m Manager) Declares(t Target) bool {
	_, declared := m.Rule(t.Environment)
	return declared && slices.Contains(m.StackNames(), t.Stack)
}

// Chain are the targets of every environment and stack of metapipe.yml, without a customer, in
// the order in which they are deployed.
func (m Manager) Chain() []Target {
	var chain []Target
	for _, rule := range m.Environments {
		for _, stack := range m.StackNames() {
			chain = append(chain, Target{Environment: rule.Name, Stack: stack})
		}
	}
	return chain
}

// StackNames are the stacks that the customer has, in the order of metapipe.yml: one
// without a name where metapipe.yml declares none.
func (c Customer) StackNames() []StackName {
	names := c.Manager.StackNames()
	if len(c.Manager.Stacks) == 0 || c.Stacks == nil {
		return names
	}
	return slices.DeleteFunc(names, func(s StackName) bool { return !slices.Contains(c.Stacks, s) })
}

// StacksIn are the customer's targets in an environment, in order; none where it may not use
// the environment.
func (c Customer) StacksIn(env Environment) []Target {
	if !c.Allows(env) {
		return nil
	}
	var targets []Target
	for _, stack := range c.StackNames() {
		targets = append(targets, Target{Customer: c.Name, Environment: env, Stack: stack})
	}
	return targets
}

// Targets are all that the customer has by the configuration: the environments in promotion
// order, the stacks in theirs within each. What is left over in the store of other ones is
// not among them.
func (c Customer) Targets() []Target {
	var targets []Target
	for _, env := range c.Allowed() {
		targets = append(targets, c.StacksIn(env)...)
	}
	return targets
}

// Has reports whether t is one of the customer's Targets.
func (c Customer) Has(t Target) bool {
	return t.Customer == c.Name && c.Allows(t.Environment) && slices.Contains(c.StackNames(), t.Stack)
}

// Module is the root module of a stack, relative to the manager directory, and the tool
// that plans and applies it. The stack without a name has the customer's root and the
// manager's tool. Of any other stack that metapipe.yml does not declare, such as one that
// it has dropped, neither is known: that is a *UsageError.
func (c Customer) Module(stack StackName) (root string, tool ToolRule, err error) {
	if s, declared := c.Manager.Stack(stack); declared {
		return s.Root, s.Tool, nil
	}
	if stack != "" {
		return "", ToolRule{}, Usagef("metapipe.yml declares no stack %s, so its root module and its tool are not known", Quote(string(stack))).
			Nextf("declare the stack in metapipe.yml again for as long as there is work on it")
	}
	return c.Root, c.Manager.Tool, nil
}

// InOrder sorts targets of the customer as Targets has them. Those of environments and
// stacks that metapipe.yml does not declare come last, in the order that they had.
func (c Customer) InOrder(targets []Target) []Target {
	stacks := c.Manager.StackNames()
	place := func(t Target) (env, stack int) {
		env = slices.IndexFunc(c.Manager.Environments, func(r EnvironmentRule) bool { return r.Name == t.Environment })
		if stack = slices.Index(stacks, t.Stack); env < 0 {
			env = len(c.Manager.Environments)
		}
		if stack < 0 {
			stack = len(stacks)
		}
		return env, stack
	}
	sorted := slices.Clone(targets)
	slices.SortStableFunc(sorted, func(a, b Target) int {
		envA, stackA := place(a)
		envB, stackB := place(b)
		if envA != envB {
			return envA - envB
		}
		return stackA - stackB
	})
	return sorted
}
