package pipeline

import (
	"fmt"
	"strings"
)

// StackName is the name of a stack: lower-case letters, digits and inner hyphens, 1–40
// characters. The empty name is that of the one stack of a manager that names none.
type StackName string

// ParseStackName checks s against the form of a stack name. The unnamed stack has no form.
func ParseStackName(s string) (StackName, error) {
	if !isLabel(s, 40) {
		return "", fmt.Errorf("stack %s: use 1–40 lower-case letters, digits and inner hyphens", Quote(s))
	}
	return StackName(s), nil
}

// Target is one stack of one customer in one environment: what has a state of its own. As
// JSON it is an object; others embed it. The zero Environment stands for the customer as a
// whole, the zero Customer for the fleet.
type Target struct {
	Customer    CustomerName `json:"customer"`
	Environment Environment  `json:"environment"`
	Stack       StackName    `json:"stack,omitempty"`
}

// In is the customer's target in an environment where stacks have no names.
func (c CustomerName) In(env Environment) Target { return Target{Customer: c, Environment: env} }

// joint stands between an environment and a stack where both are one part of a path, a key
// or a name. No label can hold it.
const joint = "."

// Part is the target within its customer as one part of a key or a file name:
// "staging", or "staging.network".
func (t Target) Part() string {
	if t.Stack == "" {
		return string(t.Environment)
	}
	return string(t.Environment) + joint + string(t.Stack)
}

// ParsePart reads what Target.Part has written, and returns the target of a customer.
func (c CustomerName) ParsePart(part string) (Target, error) {
	name, stack, stacked := strings.Cut(part, joint)
	env, err := ParseEnvironment(name)
	t := c.In(env)
	if err == nil && stacked {
		t.Stack, err = ParseStackName(stack)
	}
	if err != nil {
		return Target{}, err
	}
	return t, nil
}

// Folder is the place of the target in the store and in every tree of folders that holds
// several targets, without a slash at its end. No folder of a target lies in that of another
// one.
func (t Target) Folder() string { return string(t.Customer) + "/" + t.Part() }

// Name is how people who know the customer name the target, and the end of its statuses:
// "staging", or "staging/network".
func (t Target) Name() string {
	if t.Stack == "" {
		return string(t.Environment)
	}
	return string(t.Environment) + "/" + string(t.Stack)
}

// ParseName reads what Target.Name has written, and returns the target of a customer.
func (c CustomerName) ParseName(name string) (Target, error) {
	if strings.Contains(name, joint) {
		return Target{}, fmt.Errorf("%s names no target: it holds %q", Quote(name), joint)
	}
	return c.ParsePart(strings.Replace(name, "/", joint, 1))
}

// String is how messages name a target: customer/environment, or customer/environment/stack.
func (t Target) String() string { return string(t.Customer) + "/" + t.Name() }

// Flags are the ones that name the target to a command.
func (t Target) Flags() string {
	flags := "--customer " + string(t.Customer) + " --environment " + string(t.Environment)
	if t.Stack != "" {
		flags += " --stack " + string(t.Stack)
	}
	return flags
}

// Gate is the GitHub Environment of the manager in which the work on the target runs. All
// stacks of an environment share it.
func (t Target) Gate(work Work) string { return string(t.Environment) + "-" + string(work) }
