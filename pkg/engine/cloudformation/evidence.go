package cloudformation

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/metapipe/metapipe/pkg/engine/process"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The evidence of a plan, beside what each engine says.
const (
	evidenceStack     = "stack"      // the name of the stack
	evidenceStackID   = "stack_id"   // its ARN, which holds the account and the region; empty: there is none
	evidenceChangeSet = "change_set" // its ARN; empty: there is nothing to execute
	evidenceTemplate  = "template"   // SHA-256; empty: a destroy uses none
	evidenceValues    = "parameters" // salted digest of the values
)

func ownEvidence() []string {
	return []string{evidenceStack, evidenceStackID, evidenceChangeSet, evidenceTemplate, evidenceValues}
}

func newEvidence() pipeline.PlanEvidence {
	evidence := pipeline.NewPlanEvidence(tool())
	for _, name := range ownEvidence() {
		evidence[name] = ""
	}
	return evidence
}

// artifactPlan is what the apply needs to know of the plan.
const artifactPlan = "plan"

// planFile is the content of that artifact.
type planFile struct {
	Destroy   bool              `json:"destroy,omitempty"`
	StackID   string            `json:"stack_id,omitempty"`
	ChangeSet string            `json:"change_set,omitempty"`
	Actions   map[string]string `json:"actions"` // by logical ID
	// Changes is the digest of what CloudFormation said of the change set.
	Changes string `json:"changes,omitempty"`
	// Outputs are those of the stack as it is; nil where the plan changes them.
	Outputs []pipeline.OutputValue `json:"outputs,omitempty"`
	// Declared are the outputs of the template: true for one that is secret.
	Declared map[string]bool `json:"declared,omitempty"`
	Changed  bool            `json:"changed,omitempty"`
}

func (w *workspace) writePlan(p planFile) (pipeline.Artifacts, error) {
	content, err := json.Marshal(p)
	if err != nil {
		return nil, w.failed("encode the plan", err)
	}
	file := filepath.Join(w.job.Dir, "plan.json")
	if err := os.WriteFile(file, content, 0o600); err != nil {
		return nil, w.written("keep the plan", err)
	}
	return pipeline.Artifacts{artifactPlan: file}, nil
}

func readPlan(file string) (planFile, error) {
	var p planFile
	content, err := os.ReadFile(filepath.Clean(file))
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(content, &p)
}

// sumValues is the salted digest of the values of the parameters.
func (w *workspace) sumValues() string { return w.job.Salt.Sum(w.plainValues()) }

// plainValues are the values of the parameters in clear.
func (w *workspace) plainValues() []byte {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(w.values)) {
		all = append(all, name, w.values[name].text)
	}
	content, err := json.Marshal(all)
	if err != nil {
		panic("text that cannot be encoded: " + err.Error())
	}
	return content
}

// checkStored refuses a plan that is not whole, or that says something of itself which
// this engine does not compare.
func checkStored(plan pipeline.StoredPlan) error {
	if err := plan.Verify(); err != nil {
		return err
	}
	if err := plan.Receipt.Evidence.CheckNames(ownEvidence()...); err != nil {
		return err
	}
	return process.Same(plan.Receipt, tool().String())
}

// same refuses a workspace that is not made from what the receipt says.
func (w *workspace) same(receipt pipeline.Receipt, p planFile) error {
	refuse := func(reason pipeline.Reason, message string) error {
		return &pipeline.RefusedError{Reason: reason, Message: message, Next: receipt.Mode.Afresh(), Operator: receipt.Mode.Restart()}
	}
	planned := receipt.Evidence
	switch {
	case w.evidence.ManagerTree() != planned.ManagerTree():
		return refuse(pipeline.ReasonStaleManager, "the manager directory is not the one that the plan was made from")
	case w.evidence[evidenceTemplate] != planned[evidenceTemplate]:
		return refuse(pipeline.ReasonTampered, "the template is not the one that the plan was made with")
	case w.evidence[evidenceStack] != planned[evidenceStack]:
		return refuse(pipeline.ReasonTampered, "the plan is of another stack: "+pipeline.Quote(planned[evidenceStack]))
	case p.Destroy != w.job.Destroy, p.StackID != planned[evidenceStackID], p.ChangeSet != planned[evidenceChangeSet]:
		return refuse(pipeline.ReasonTampered, "the receipt names another change set than the plan")
	case w.sumValues() != planned[evidenceValues]:
		return refuse(pipeline.ReasonStaleVariables, "the variables are not those that the plan was made with")
	}
	return nil
}
