package pipeline

import (
	"fmt"
	"strings"
)

// RenamedEnvironmentError says that a target was never applied, and that the same customer
// has infrastructure in environments, or of stacks, that metapipe.yml does not declare any
// more. If one of them was renamed, a plan would build everything a second time.
type RenamedEnvironmentError struct {
	Target Target
	Left   []Target // at least one
	// Stack: metapipe.yml declares the environment of one of them, and not its stack. The
	// unnamed stack is such a one as soon as stacks have names.
	Stack bool
}

func (e *RenamedEnvironmentError) Error() string {
	return withNext(e.What(), e.Operator(), nil)
}

// Unwrap is what a plan is refused with. The customer reads Message and Next.
func (e *RenamedEnvironmentError) Unwrap() error {
	return &RefusedError{Reason: ReasonEnvironmentRenamed, Message: e.message(), Next: ProviderNext, Detail: e.What(), Operator: e.Operator()}
}

func (e *RenamedEnvironmentError) message() string {
	what := fmt.Sprintf("environment %q", e.Target.Environment)
	if e.Target.Stack != "" {
		what = fmt.Sprintf("stack %q of ", e.Target.Stack) + what
	}
	return fmt.Sprintf("nothing was planned and nothing was applied: %s is new, and the provider may keep your infrastructure under a former name of it", what)
}

// What says what is wrong, without what to do. It is for the operator.
func (e *RenamedEnvironmentError) What() string {
	what := "environment"
	if e.Stack {
		what = "stack"
	}
	return fmt.Sprintf("%s was never applied, and metapipe.yml does not declare the %s of %s any more, which is applied: where the %s was renamed, "+
		"a plan would build everything a second time", e.Target, what, e.left(Target.String), what)
}

// Operator says what the operator does about it.
func (e *RenamedEnvironmentError) Operator() string {
	back := fmt.Sprintf("give the environment its old name (%s) back in metapipe.yml", e.left(Target.Name))
	if e.Stack {
		back = fmt.Sprintf("declare the stacks in metapipe.yml as they were (%s; a target without a stack needs a file without `stacks`)", e.left(Target.Name))
	}
	return fmt.Sprintf("%s; or declare the old one again, destroy it, and remove it then (docs/ENDING.md); where "+
		"its infrastructure stays, and %s is to be built beside it, record that: `metapipe state accept %s --reason TEXT`", back, e.Target, e.Target.Flags())
}

// left are the names of the targets that are left, in one line.
func (e *RenamedEnvironmentError) left(name func(Target) string) string {
	var names []string
	for _, t := range e.Left {
		names = append(names, name(t))
	}
	return strings.Join(names, ", ")
}

// Answer is the answer to the customer: nothing is wrong on that side.
func (e *RenamedEnvironmentError) Answer(file string) *RejectedError {
	return &RejectedError{Reason: ReasonEnvironmentRenamed, Problems: Problems{{Position: Position{File: file}, Rule: string(ReasonEnvironmentRenamed),
		Message: e.message(), Remedy: "nothing to do for you: the provider corrects the name and starts the deployment again"}}}
}

// WhyLeft says why an applied target of a customer is planned no more.
func (c Customer) WhyLeft(t Target) string {
	switch _, declared := c.Manager.Rule(t.Environment); {
	case !declared:
		return "metapipe.yml does not declare the environment any more"
	case t.Stack == "" && !c.Manager.Declares(t):
		return "metapipe.yml names stacks now, and the target has none"
	case !c.Manager.Declares(t):
		return "metapipe.yml does not declare the stack any more"
	case !c.Allows(t.Environment):
		return c.File + " does not allow the environment any more"
	}
	return c.File + " does not allow the stack any more"
}

// LeftMessage says that nothing plans an applied target any more: of names the target, and
// why is a WhyLeft.
func LeftMessage(of, why string) string { return of + " is applied, and " + why }

// LeftNext says what to do about such a target.
const LeftNext = "give the environment or the stack its name back, or destroy it before it is removed (docs/ENDING.md)"
