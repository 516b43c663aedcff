package pipeline

import (
	"fmt"
)

// NeedsApproval reports whether anything holds an apply to the environment back.
func (r EnvironmentRule) NeedsApproval() bool {
	return r.Gated || r.WaitTimer > 0 || r.PreventSelfReview
}

// GateEnvironment is the rule of the target's environment for this request, and why it is gated. A
// destroy needs an approval in every environment.
func (r Request) GateEnvironment(in TargetInput) (rule EnvironmentRule, why string) {
	rule, _ = in.Customer.Manager.Rule(in.Environment)
	if r.Mode == ModeDestroy && !rule.Gated {
		rule.Gated = true
		return rule, "a destroy needs an approval"
	}
	return rule, fmt.Sprintf("metapipe.yml says that %s is gated", in.Environment)
}
