package cloudformation

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The rules of what keeps a plan from using a root.
const (
	ruleTemplate  = "cloudformation-template"
	ruleParameter = "cloudformation-parameter"
	ruleTooLarge  = "cloudformation-size"
	ruleReference = "cloudformation-reference"
)

// CheckRoot implements pipeline.RootReader.
func (*Engine) CheckRoot(dir, root, _ string) (problems pipeline.Problems, parsed bool) {
	add := func(line int, rule, message, remedy string, file string) {
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: file, Line: line}, Rule: rule, Message: message, Remedy: remedy})
	}
	t, err := readTemplate(dir, root)
	if err != nil {
		file, remedy := t.file, "correct it"
		if file == "" {
			file = path.Join(root, templateNames[0])
		}
		message := err.Error()
		var usage *pipeline.UsageError
		if errors.As(err, &usage) {
			message, remedy = usage.Message, usage.Next
		}
		add(1, ruleTemplate, message, remedy, file)
		return problems, false
	}
	if len(t.raw) > maxInline {
		add(1, ruleTooLarge, fmt.Sprintf("the template has %d bytes, and CloudFormation takes %d with a request", len(t.raw), maxInline), "make it smaller, for example with a stack of its own for a part of it", t.file)
	}
	problems = append(problems, t.faults()...)
	first := map[string]string{}
	for _, name := range t.order {
		p := t.parameters[name]
		key := keyOf(name)
		if other, taken := first[key]; taken {
			add(p.line, ruleParameter, fmt.Sprintf("the parameters %s and %s would both be set by the key %s", other, name, key), "give one of them another name", t.file)
		}
		first[key] = name
		if p.isSSM() && !p.hasDefault {
			add(p.line, ruleParameter, fmt.Sprintf("the parameter %s takes a name in Parameter Store and has no Default: no customer can choose one", name), "give it a Default", t.file)
		}
	}
	return problems, problems.Err() == nil
}

// RootVariables implements pipeline.RootReader: each parameter under both of its names.
func (*Engine) RootVariables(dir, root, _ string) (map[string]bool, error) {
	t, err := readTemplate(dir, root)
	if err != nil {
		return nil, err
	}
	found := map[string]bool{}
	for _, name := range t.order {
		if isOwn(name) {
			continue
		}
		for _, key := range keysOf(name) {
			found[key] = !t.parameters[name].hasDefault && !t.parameters[name].isSSM()
		}
	}
	return found, nil
}

// OwnVariable implements pipeline.RootReader.
func (*Engine) OwnVariable(name string) bool {
	for own := range ownParameters(pipeline.Job{}) {
		if name == own || name == keyOf(own) {
			return true
		}
	}
	return false
}

// CheckTree implements pipeline.RootReader.
func (*Engine) CheckTree(ctx context.Context, dir, root, stateDir string) (pipeline.Problems, error) {
	return tree.CheckTree(ctx, dir, root, stateDir, nil)
}

// TakesOutputs implements pipeline.NeedsReader: a parameter is named after the stack and the output.
func (*Engine) TakesOutputs(dir, root string, of pipeline.StackName) (bool, error) {
	t, err := readTemplate(dir, root)
	return slices.ContainsFunc(t.order, func(name string) bool {
		_, named := holdsOutput(name, []pipeline.StackName{of})
		return named
	}), err
}

// CheckSettable implements pipeline.NeedsReader: no customer chooses what a dynamic reference reads. A parameter with
// a Default is only a customer's where something opens it, and no plan takes a value for it.
func (*Engine) CheckSettable(dir, root string, needs []pipeline.StackName) (problems pipeline.Problems) {
	t, err := readTemplate(dir, root)
	if err != nil {
		return nil // CheckRoot says so
	}
	for _, c := range t.chosen {
		if _, named := holdsOutput(c.parameter, needs); !named {
			problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: t.file, Line: c.line}, Rule: ruleReference, Warning: t.parameters[c.parameter].hasDefault,
				Message: fmt.Sprintf("a dynamic reference is built from the parameter %s, which a customer may set: the customer would choose what is read", c.parameter),
				Remedy:  "write the reference without the parameter, or give the parameter AllowedValues"})
		}
	}
	return problems
}

// HoldsOutput implements pipeline.NeedsReader.
func (*Engine) HoldsOutput(variable string, needs []pipeline.StackName) bool {
	_, named := holdsOutput(variable, needs)
	return named
}
