package pipeline

import (
	"fmt"
	"strings"
)

// RenamedEnvironmentError says that a target was never applied, and that the same customer
// has infrastructure in environments that metapipe.yml does not declare any more. If one of
// them was renamed, a plan would build everything a second time.
type RenamedEnvironmentError struct {
	Target Target
	Left   []Environment // at least one
}

func (e *RenamedEnvironmentError) Error() string {
	return withNext(e.What(), e.Operator(), nil)
}

// Unwrap is what a plan is refused with. The customer reads Message and Next.
func (e *RenamedEnvironmentError) Unwrap() error {
	return &RefusedError{Reason: ReasonEnvironmentRenamed, Message: e.message(), Next: ProviderNext, Detail: e.What(), Operator: e.Operator()}
}

func (e *RenamedEnvironmentError) message() string {
	return fmt.Sprintf("nothing was planned and nothing was applied: environment %q is new, and the provider may keep your infrastructure under a former name of it", e.Target.Environment)
}

// What says what is wrong, without what to do. It is for the operator.
func (e *RenamedEnvironmentError) What() string {
	var left []string
	for _, env := range e.Left {
		left = append(left, e.Target.Customer.In(env).String())
	}
	return fmt.Sprintf("%s was never applied, and metapipe.yml does not declare the environment of %s any more, which is applied: where the environment was renamed, "+
		"a plan would build everything a second time", e.Target, strings.Join(left, ", "))
}

// Operator says what the operator does about it.
func (e *RenamedEnvironmentError) Operator() string {
	return fmt.Sprintf("give the environment its old name (%s) back in metapipe.yml; or declare the old one again, destroy it, and remove it then (docs/ENDING.md); where "+
		"its infrastructure stays, and %s is to be built beside it, record that: `metapipe state accept --customer %s --environment %s --reason TEXT`",
		JoinNames(e.Left), e.Target, e.Target.Customer, e.Target.Environment)
}

// Answer is the answer to the customer: nothing is wrong on that side.
func (e *RenamedEnvironmentError) Answer(file string) *RejectedError {
	return &RejectedError{Reason: ReasonEnvironmentRenamed, Problems: Problems{{Position: Position{File: file}, Rule: string(ReasonEnvironmentRenamed),
		Message: e.message(), Remedy: "nothing to do for you: the provider corrects the name and starts the deployment again"}}}
}

// LeftEnvironment says why an applied environment of a customer is planned no more.
func (c Customer) LeftEnvironment(env Environment) string {
	if _, declared := c.Manager.Rule(env); !declared {
		return "metapipe.yml does not declare the environment any more"
	}
	return c.File + " does not allow the environment any more"
}

// LeftMessage says that nothing plans an applied target any more: of names the target, and
// why is a LeftEnvironment.
func LeftMessage(of, why string) string { return of + " is applied, and " + why }

// LeftEnvironmentNext says what to do about such an environment.
const LeftEnvironmentNext = "give the environment its name back, or destroy it before it is removed (docs/ENDING.md)"
