package terraform

import (
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The artifacts of a plan.
const (
	artifactPlan   = "plan"      // the saved plan: holds state and secrets in clear
	artifactJSON   = "plan-json" // `show -json`: as secret as the plan
	artifactBundle = "bundle"    // tar of what init and plan wrote into the workspace
)

// The evidence of a plan, beside what each engine says.
const (
	evidenceLockFile = "lock_file" // SHA-256 of the dependency lock file, also a generated one; empty: none
	evidenceModules  = "modules"   // digest of the modules that init fetched; empty: none
)

// newPlanned is a plan that has not begun.
func newPlanned(tool pipeline.ToolVersion) pipeline.Planned {
	evidence := pipeline.NewPlanEvidence(tool)
	evidence[evidenceLockFile], evidence[evidenceModules] = "", ""
	return pipeline.Planned{Evidence: evidence, Plan: pipeline.Plan{Tool: tool}}
}

// failedPlan takes away what an apply could use of a plan.
func failedPlan(planned pipeline.Planned) pipeline.Planned {
	planned.Plan.Errored, planned.Plan.Exactness = true, ""
	planned.Artifacts, planned.Fingerprint = nil, ""
	return planned
}

// checkStored refuses a plan that is not whole, or that says something of itself which
// this engine does not compare.
func checkStored(plan pipeline.StoredPlan) error {
	if err := plan.Verify(); err != nil {
		return err
	}
	return plan.Receipt.Evidence.CheckNames(evidenceLockFile, evidenceModules)
}
