package pulumi

import (
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The artifacts of a plan.
const (
	artifactPlan     = "plan"     // as the CLI has saved it; of no destroy
	artifactSettings = "settings" // the settings of the stack that it was made with
	artifactModel    = "model"    // of a destroy: what it showed
)

// The evidence of a plan, beside what each engine says.
const (
	evidenceInputs  = "inputs"  // SHA-256 of the values of the program
	evidencePlugins = "plugins" // what ran beside the CLI, with SHA-256
)

func newEvidence(tool pipeline.ToolVersion) pipeline.PlanEvidence {
	evidence := pipeline.NewPlanEvidence(tool)
	for _, name := range ownEvidence() {
		evidence[name] = ""
	}
	return evidence
}

func ownEvidence() []string { return []string{evidenceInputs, evidencePlugins} }

// checkStored refuses a plan that is not whole, or that says something of itself which
// this engine does not compare.
func checkStored(plan pipeline.StoredPlan) error {
	if err := plan.Verify(); err != nil {
		return err
	}
	return plan.Receipt.Evidence.CheckNames(ownEvidence()...)
}

// same refuses a workspace that is not made from what the receipt says.
func (w *workspace) same(receipt pipeline.Receipt) error {
	refuse := func(reason pipeline.Reason, message string) error {
		return &pipeline.RefusedError{Reason: reason, Message: message, Next: receipt.Mode.Afresh(), Operator: receipt.Mode.Restart()}
	}
	planned := receipt.Evidence
	if w.evidence.ManagerTree() != planned.ManagerTree() {
		return refuse(pipeline.ReasonStaleManager, "the manager directory is not the one that the plan was made from")
	}
	if w.evidence[evidenceInputs] != planned[evidenceInputs] {
		return refuse(pipeline.ReasonStaleVariables, "the values of the program are not those that the plan was made with")
	}
	if now, then := w.found.StateVersion, planned.State(); now != then {
		return refuse(pipeline.ReasonStaleState, "the state has changed since the plan was made")
	}
	return w.samePlugins(planned[evidencePlugins], refuse)
}
