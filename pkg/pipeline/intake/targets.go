package intake

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
	"github.com/metapipe/metapipe/pkg/pipeline/registry"
)

// targets fills in request.Targets: the environments declared in metapipe.yml, in its order,
// that the customer may use and that stand in variables.yml, and in each of them the stacks
// that the customer has. An environment that stands there and may not be used is a problem with its
// line.
func targets(from origin, document pipeline.Document, request *pipeline.Request) pipeline.Problems {
	problems := CheckEnvironments(from.customer, document)
	declared := document.Environments()
	if from.only != "" && !pipeline.Declares(declared, from.only) {
		position, _ := document.Locate("environments")
		problems = append(problems, pipeline.Problem{Position: position, Rule: "environment-missing",
			Message: fmt.Sprintf("environment %q is not in the file", from.only), Remedy: "add it under `environments`, or ask for another one"})
	}
	for _, target := range from.customer.Targets() {
		env := target.Environment
		if request.NoTools() || !pipeline.Declares(declared, env) || from.only != "" && from.only != env || from.stack != "" && from.stack != target.Stack {
			continue
		}
		if from.customer.Runner(target.Stack) != pipeline.RunnerActions {
			continue // another runner has it
		}
		t := pipeline.RequestTarget{Target: target}
		if rule, _ := from.customer.Manager.Rule(env); request.Mode == pipeline.ModeApply && !rule.Admits(request.Branch, request.Repository.DefaultBranch) {
			t.PlanOnly = fmt.Sprintf("branch %q may not apply to %s", request.Branch, env)
		} else if request.Mode == pipeline.ModeApply {
			t.PlanOnly = request.Properties.PlannedOnly(request.Event, rule)
		}
		request.Targets = append(request.Targets, t)
	}
	return problems
}

// removed finds environments that were worked on before and are not in the file
// any more.
func (f *FetchVars) removed(ctx context.Context, from origin, declared []pipeline.DeclaredEnvironment, request *pipeline.Request) error {
	for _, rule := range from.customer.Manager.Environments {
		if pipeline.Declares(declared, rule.Name) {
			continue
		}
		kept, err := f.isKept(ctx, from.customer, rule.Name)
		if err != nil {
			return err
		}
		if kept {
			request.Removed = append(request.Removed, rule.Name)
		}
	}
	return errors.Join(f.removedStacks(ctx, from, declared, request), f.disabled(ctx, from, declared, request))
}

// removedStacks finds stacks that were worked on before, in environments of the file, and
// that the customer does not have any more: its own file, or metapipe.yml, has dropped them.
// Without stacks in metapipe.yml there is none to find: what it had before is refused.
func (f *FetchVars) removedStacks(ctx context.Context, from origin, declared []pipeline.DeclaredEnvironment, request *pipeline.Request) error {
	c := from.offered
	if len(c.Manager.Stacks) == 0 {
		return nil
	}
	stored, err := registry.StoredTargets(ctx, f.viewed(), c.Name)
	if err != nil {
		return err
	}
	for _, t := range c.InOrder(stored) {
		if t.Stack == "" || !pipeline.Declares(declared, t.Environment) || c.Has(t) {
			continue
		}
		stays, err := f.stays(ctx, t)
		if err != nil {
			return err
		}
		if stays {
			request.RemovedStacks = append(request.RemovedStacks, t)
		}
	}
	return nil
}

// isKept reports whether a stack of an environment was worked on before and not destroyed
// since.
func (f *FetchVars) isKept(ctx context.Context, c pipeline.Customer, env pipeline.Environment) (bool, error) {
	for _, stack := range c.Manager.StackNames() {
		t := pipeline.Target{Customer: c.Name, Environment: env, Stack: stack}
		if stays, err := f.stays(ctx, t); err != nil || stays {
			return err == nil, err
		}
	}
	return false, nil
}

// stays reports whether a target was worked on before and not destroyed since.
func (f *FetchVars) stays(ctx context.Context, t pipeline.Target) (bool, error) {
	worked, err := wasWorkedOn(ctx, f.viewed(), t)
	return err == nil && worked && !f.isDestroyed(ctx, t), err
}

// wasWorkedOn reports whether the store has requests or applies of a target. It asks for
// the folders alone: a queue grows with each request. A renamed customer has left its
// queue under the old name.
func wasWorkedOn(ctx context.Context, s pipeline.Store, t pipeline.Target) (bool, error) {
	queue, applies := record.QueuePrefix(t), record.LastApplyPrefix(t)
	target := path.Dir(strings.TrimSuffix(queue, "/")) + "/"
	folders, err := s.Folders(ctx, target)
	if err != nil {
		return false, fmt.Errorf("look for earlier deployments of %s: %w", t, err)
	}
	return slices.Contains(folders, strings.TrimPrefix(queue, target)) || slices.Contains(folders, strings.TrimPrefix(applies, target)), nil
}

// CheckEnvironments names the environments of variables.yml that the customer may
// not use, each with its line.
func CheckEnvironments(c pipeline.Customer, document pipeline.Document) pipeline.Problems {
	var problems pipeline.Problems
	for _, d := range document.Environments() {
		if c.Allows(pipeline.Environment(d.Name)) {
			continue
		}
		remedy := "use " + pipeline.AllowedNames(c) + ", or ask your service provider for it"
		if like := pipeline.Nearest(d.Name, strings.Split(pipeline.AllowedNames(c), ", ")); like != "" {
			remedy = fmt.Sprintf("did you mean %q? Else %s", like, remedy)
		}
		problems = append(problems, pipeline.Problem{Position: d.Position, Rule: string(pipeline.ReasonNotAllowed),
			Message: fmt.Sprintf("environment %s is not one that %s may use", pipeline.Quote(d.Name), cmp.Or(string(c.Name), "this customer")),
			Remedy:  remedy})
	}
	return problems
}
