package cli

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ruleNoOutputs is the rule of a needed stack whose outputs metapipe cannot read.
const ruleNoOutputs = "unreadable-outputs"

// unreadableNeeds finds needed stacks whose tool puts out nothing that metapipe can read: a
// stack that needs one would be built from nothing.
func unreadableNeeds(managerDir string, m pipeline.Manager) pipeline.Problems {
	var problems pipeline.Problems
	for i, stack := range m.Stacks {
		for _, needed := range stack.Needs {
			rule, _ := m.Stack(needed)
			engine, err := newEngine(rule.Tool.Name, engineOptions{})
			if err != nil {
				continue // a problem of its own
			}
			if _, err := pipeline.Capable[pipeline.OutputReader](engine, rule.Tool.Name, pipeline.CapabilityOutputs); err != nil {
				problems = append(problems, pipeline.Problem{
					Position: config.Locate(managerDir, "stacks", strconv.Itoa(i), "needs"), Rule: ruleNoOutputs,
					Message: fmt.Sprintf("the stack %s needs %s, and metapipe cannot %s with %s", stack.Name, needed, pipeline.CapabilityOutputs, rule.Tool.Name),
					Remedy:  fmt.Sprintf("take %s out of needs, or let another tool serve %s (its tool in stacks)", needed, needed),
				})
			}
		}
	}
	return problems
}

// ruleNeededUndeclared is the rule of a needed stack that the root does not take in.
const ruleNeededUndeclared = "undeclared-need"

// needs finds needed stacks that put out nothing, and those for which the root of the stack
// declares no variable. A root that cannot be read is reported elsewhere.
func (v *validation) needs() {
	if v.config.Unread.Manager {
		return
	}
	v.add(unreadableNeeds(v.o.managerDir, v.config.Manager)...)
	rules := newRules(v.o.managerDir)
	for i, stack := range v.config.Manager.Stacks {
		declared := rules.variables(stack.Root, stack.Tool.Name)
		for _, needed := range stack.Needs {
			if _, ok := declared[string(needed)]; ok || declared == nil {
				continue
			}
			if takes, asked := v.takesOutputs(stack, needed); takes {
				continue
			} else if asked {
				v.add(pipeline.Problem{
					Position: config.Locate(v.o.managerDir, "stacks", strconv.Itoa(i), "needs"), Rule: ruleNeededUndeclared,
					Message: fmt.Sprintf("the stack %s needs %s, and its root %s has no parameter whose name begins with that of the stack", stack.Name, needed, stack.Root),
					Remedy:  fmt.Sprintf("name a parameter after the stack and the output, or take %s out of needs", needed),
				})
				continue
			}
			v.add(pipeline.Problem{
				Position: config.Locate(v.o.managerDir, "stacks", strconv.Itoa(i), "needs"), Rule: ruleNeededUndeclared,
				Message: fmt.Sprintf("the stack %s needs %s, and its root %s declares no variable %q for the outputs", stack.Name, needed, stack.Root, needed),
				Remedy:  fmt.Sprintf("declare variable %q in %s, or take %s out of needs", needed, stack.Root, needed),
			})
		}
	}
}

// settable finds what a customer may set of a root module and must not, for a stack with these needs.
func (v *validation) settable(root rootModule, needs []pipeline.StackName) {
	engine, err := newEngine(root.tool, engineOptions{})
	reader, is := engine.(pipeline.NeedsReader)
	if err != nil || !is {
		return
	}
	for _, p := range reader.CheckSettable(v.o.managerDir, root.dir, needs) {
		if !slices.Contains(v.result.Problems, p) {
			v.add(p)
		}
	}
}

// takesOutputs asks the engine of a stack whether its root takes in an output of another one. asked is false where the
// engine leaves that to a variable with the name of the stack.
func (v *validation) takesOutputs(stack pipeline.StackRule, needed pipeline.StackName) (takes, asked bool) {
	engine, err := newEngine(stack.Tool.Name, engineOptions{})
	if err != nil {
		return false, false
	}
	reader, is := engine.(pipeline.NeedsReader)
	if !is {
		return false, false
	}
	takes, err = reader.TakesOutputs(v.o.managerDir, stack.Root, needed)
	return takes || err != nil, true
}
