package cli

import (
	"fmt"
	"strconv"

	"github.com/metapipe/metapipe/pkg/config"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// ruleNeededUndeclared is the rule of a needed stack that the root does not take in.
const ruleNeededUndeclared = "undeclared-need"

// needs finds needed stacks for which the root of the stack declares no variable. A root
// that cannot be read is reported elsewhere.
func (v *validation) needs() {
	if v.config.Unread.Manager {
		return
	}
	rules := newRules(v.o.managerDir)
	for i, stack := range v.config.Manager.Stacks {
		declared := rules.variables(stack.Root, stack.Tool.Name)
		for _, needed := range stack.Needs {
			if _, ok := declared[string(needed)]; ok || declared == nil {
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
