package pipeline

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// PlanEvidence says what an engine has made a plan from: name → value. It goes into the
// receipt. The engine owns the names and compares them at apply; what the domain reads of
// them has a method here. Every name of an engine is always there: an empty value says
// that there is none of it.
type PlanEvidence map[string]string

// The names of what each engine says of a plan.
const (
	evidenceTool        = "tool"
	evidenceToolVersion = "tool_version"
	evidenceManagerTree = "manager_tree"
	evidenceManagerCode = "manager_code"
	evidenceLineage     = "state_lineage"
	evidenceSerial      = "state_serial"
	// evidenceNeeded is there only where the stack needs outputs of others.
	evidenceNeeded = "needed_outputs"
	// evidenceProperties is there only where metapipe.yml uses custom properties.
	evidenceProperties = "properties"
)

// NewPlanEvidence is the evidence of a plan that tool has made on no state yet.
func NewPlanEvidence(tool ToolVersion) PlanEvidence {
	e := PlanEvidence{evidenceTool: tool.Name, evidenceToolVersion: tool.Version}
	e.SetManager("", "")
	e.SetState(StateVersion{})
	return e
}

// SetManager notes the digest of the manager tree as it was copied, so that uncommitted
// edits and generated files count as well, and that of the part of it that plans of the
// customer are made from. Nothing is refused by the second one: drift scans ask what has
// changed since.
func (e PlanEvidence) SetManager(tree, code string) {
	e[evidenceManagerTree], e[evidenceManagerCode] = tree, code
}

// SetState notes the version of the state that the plan was made on.
func (e PlanEvidence) SetState(s StateVersion) {
	e[evidenceLineage], e[evidenceSerial] = s.Lineage, strconv.FormatUint(s.Serial, 10)
}

// SetNeeded notes the sum of the outputs of other stacks that the plan was made with, as
// SumNeeded makes it; nothing where there are none.
func (e PlanEvidence) SetNeeded(sum string) {
	if sum != "" {
		e[evidenceNeeded] = sum
	}
}

// Needed is the sum of the outputs of other stacks; empty where the plan used none.
func (e PlanEvidence) Needed() string { return e[evidenceNeeded] }

// SetProperties notes the digest of the custom properties that the request was accepted
// with; nothing where there are none.
func (e PlanEvidence) SetProperties(digest string) {
	if digest != "" {
		e[evidenceProperties] = digest
	}
}

// Properties is the digest of the custom properties; empty where the plan used none.
func (e PlanEvidence) Properties() string { return e[evidenceProperties] }

// Tool is the binary that made the plan.
func (e PlanEvidence) Tool() ToolVersion {
	return ToolVersion{Name: e[evidenceTool], Version: e[evidenceToolVersion]}
}

// ManagerTree is the digest of the manager tree; see SetManager.
func (e PlanEvidence) ManagerTree() string { return e[evidenceManagerTree] }

// ManagerCode is the digest of the code of the plan; see SetManager.
func (e PlanEvidence) ManagerCode() string { return e[evidenceManagerCode] }

// State is the version of the state that the plan was made on. Evidence that was read
// holds a number as serial.
func (e PlanEvidence) State() StateVersion {
	serial, err := strconv.ParseUint(e[evidenceSerial], 10, 64)
	if err != nil {
		return StateVersion{}
	}
	return StateVersion{Lineage: e[evidenceLineage], Serial: serial}
}

// CheckNames refuses evidence that has other names than own and those that each engine
// has: what this engine does not know it cannot compare. mode is that of the receipt.
func (e PlanEvidence) CheckNames(own ...string) error {
	known := append([]string{evidenceTool, evidenceToolVersion, evidenceManagerTree, evidenceManagerCode, evidenceLineage, evidenceSerial}, own...)
	for _, name := range slices.Sorted(maps.Keys(e)) {
		if !slices.Contains(known, name) && name != evidenceNeeded && name != evidenceProperties { // the domain compares these
			return tamperedPlan("the receipt has evidence that this metapipe does not know: " + Quote(name))
		}
	}
	for _, name := range known {
		if _, ok := e[name]; !ok {
			return tamperedPlan("the receipt lacks evidence: " + Quote(name))
		}
	}
	return nil
}

func tamperedPlan(message string) error {
	return &RefusedError{Reason: ReasonTampered, Message: message, Next: TamperedNext, Operator: TamperedFinder}
}

// Bounds of what a receipt holds of an engine.
const (
	maxEvidence      = 64
	maxEvidenceValue = 4 << 10 // bytes
)

// UnmarshalJSON decodes evidence and refuses what no engine writes.
func (e *PlanEvidence) UnmarshalJSON(b []byte) error {
	var read map[string]string
	if err := json.Unmarshal(b, &read); err != nil {
		return err
	}
	if len(read) > maxEvidence {
		return fmt.Errorf("evidence has %d names, more than %d", len(read), maxEvidence)
	}
	for name, value := range read {
		if !isName(name, '_') || len(value) > maxEvidenceValue {
			return fmt.Errorf("evidence %s is not valid", Quote(name))
		}
	}
	if serial, ok := read[evidenceSerial]; ok {
		if n, err := strconv.ParseUint(serial, 10, 64); err != nil || strconv.FormatUint(n, 10) != serial {
			return fmt.Errorf("evidence %s is no number", evidenceSerial)
		}
	}
	*e = read
	return nil
}

// isName reports whether an engine may use the name: small letters, digits and joint, with
// a letter first, at most 40 characters.
func isName(name string, joint rune) bool {
	if name == "" || len(name) > 40 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != joint
	})
}
