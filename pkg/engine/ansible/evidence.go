package ansible

import (
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// artifactPrediction is what the check predicted, in the form that an apply compares.
const artifactPrediction = "prediction"

// The evidence of a plan, beside what each engine says: SHA-256 digests of code, and salted ones of values.
const (
	evidencePlaybook    = "playbook"    // of the root of the stack
	evidenceCollections = "collections" // of its collections and roles; empty: none
	evidenceInventory   = "inventory"
	evidenceVariables   = "variables"
)

func newEvidence(tool pipeline.ToolVersion) pipeline.PlanEvidence {
	evidence := pipeline.NewPlanEvidence(tool)
	for _, name := range ownEvidence() {
		evidence[name] = ""
	}
	return evidence
}

func ownEvidence() []string {
	return []string{evidencePlaybook, evidenceCollections, evidenceInventory, evidenceVariables}
}

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
	for _, part := range []struct {
		name, what string
		reason     pipeline.Reason
	}{
		{evidencePlaybook, "the playbook is not the one", pipeline.ReasonTampered},
		{evidenceCollections, "the collections and roles are not those", pipeline.ReasonTampered},
		{evidenceVariables, "the variables are not those", pipeline.ReasonStaleVariables},
		{evidenceInventory, "the inventory is not the one", pipeline.ReasonStaleState},
	} {
		if w.evidence[part.name] != planned[part.name] {
			return refuse(part.reason, part.what+" that the plan was made with")
		}
	}
	if planned.State() != (pipeline.StateVersion{}) {
		return refuse(pipeline.ReasonTampered, "the plan names a state, and Ansible keeps none")
	}
	return nil
}
