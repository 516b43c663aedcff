package runner

import (
	"errors"
	"fmt"
	"strings"

	"github.com/rhysd/actionlint"

	"github.com/metapipe/metapipe/pkg/text"
)

// refused are the findings about expressions with which GitHub starts no run: names and functions that are not
// there, or not in this place. Others, such as a property that no step sets, are null for GitHub.
var refused = text.Pattern(`^(undefined variable |undefined function |context "|calling function "|number of arguments is wrong)`)

// checkRules asks the rules of actionlint that are about what GitHub refuses before a run starts: ids, permissions,
// events, names in expressions. A condition that is always true is refused as well, although GitHub takes it: it is
// a text around an expression, and no one means that.
func (w *Workflow) checkRules() error {
	expressions := actionlint.NewRuleExpression(actionlint.NewLocalActionsCache(nil, nil), actionlint.NewLocalReusableWorkflowCache(nil, "", nil))
	rules := []actionlint.Rule{actionlint.NewRuleID(), actionlint.NewRulePermissions(), actionlint.NewRuleEvents(), actionlint.NewRuleIfCond(), expressions}
	visitor := actionlint.NewVisitor()
	for _, rule := range rules {
		visitor.AddPass(rule)
	}
	if err := visitor.Visit(w.Workflow); err != nil {
		return &FileError{w.File, 0, err.Error()}
	}
	var errs []error
	for _, rule := range rules {
		for _, p := range rule.Errs() {
			if rule == actionlint.Rule(expressions) && !refused().MatchString(p.Message) || strings.HasPrefix(p.Message, `undefined function "case"`) || strings.HasPrefix(p.Message, "constant expression") {
				continue
			}
			errs = append(errs, &FileError{w.File, p.Line, p.Message})
		}
	}
	return errors.Join(append(errs, w.checkQueues())...)
}

// checkQueues refuses what GitHub does of concurrency.queue. Source:
// https://docs.github.com/actions/how-tos/write-workflows/choose-when-workflows-run/control-workflow-concurrency
func (w *Workflow) checkQueues() error {
	check := func(id string, c *actionlint.Concurrency) error {
		queue, set := w.queues[id]
		switch {
		case !set || c == nil:
			return nil
		case queue != "single" && queue != "max":
			return &FileError{w.File, c.Pos.Line, fmt.Sprintf("concurrency.queue is %q, and not single or max", queue)}
		case queue == "max" && c.CancelInProgress != nil && c.CancelInProgress.Value:
			return &FileError{w.File, c.Pos.Line, "concurrency has both queue: max and cancel-in-progress: true, which GitHub refuses"}
		}
		return nil
	}
	errs := []error{check("", w.Concurrency)}
	for _, id := range sorted(w.Jobs) {
		errs = append(errs, check(id, w.Jobs[id].Concurrency))
	}
	return errors.Join(errs...)
}
