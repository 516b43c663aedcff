package pipeline

import (
	"context"
	"fmt"
	"hash"
	"io"
)

// Engine plans and applies one target. pkg/engine/terraform implements it; nothing in
// this package knows which tool runs.
type Engine interface {
	// Plan makes a plan in a fresh copy of the manager tree under job.Dir.
	//
	// A root that refers to needed outputs which are not known gives a *DeferredError, and
	// no tool ran. A tool that ran and failed gives a *FailedError, and the returned
	// Planned.Plan then still carries the diagnostics. A missing or unfit tool is
	// a *UsageError. When ctx is cancelled the tool gets one SIGINT and its time,
	// and the error wraps ctx.Err().
	Plan(ctx context.Context, job Job) (Planned, error)
	// Apply restores the workspace of a plan and applies it. Before anything runs it
	// verifies the artifacts (StoredPlan.Verify), refuses evidence whose names it does
	// not know, and compares the rest with what is there now; a difference is a
	// *RefusedError. A *WaitingError says that all of the plan is applied, and that what it
	// has asked for is not ready in time. Applied is meaningful also beside an error: what was done before
	// the failure.
	Apply(ctx context.Context, job Job, plan StoredPlan) (Applied, error)
}

// Job is one target to work on.
type Job struct {
	Customer    Customer
	Environment Environment
	Stack       StackName
	Variables   Document
	// Applied are the variables that were applied last; nil where none are known, and
	// Compared says why. They explain a plan and decide nothing.
	Applied  Document
	Compared Comparison
	// ManagerDir is the manager checkout (absolute). The whole tree is copied,
	// since roots use ../modules; it is never written to.
	ManagerDir string
	// Dir is the run directory of this job (absolute), created when missing.
	Dir string
	// Backend is where the state is; the zero value is a scratch state in Dir. The
	// directory of a local one is created when missing.
	Backend Backend
	// Needed are the outputs of the stacks that the target needs. Each becomes one input
	// variable, named after its stack: an object from output to value.
	Needed []NeededOutputs
	// Destroy plans the destroy of everything in the state.
	Destroy bool
	// Salt is that of the plan, for the digests of values in its evidence. Zero where no receipt is made.
	Salt Salt
	// MAC returns a keyed hash for the fingerprint; nil leaves it empty.
	MAC func() hash.Hash
	// Log receives the tool's progress as plain lines for people. They come from
	// a provider and are untrusted, but they hold no workflow command.
	Log io.Writer
}

// Target is the one that the job works on.
func (j Job) Target() Target {
	return Target{Customer: j.Customer.Name, Environment: j.Environment, Stack: j.Stack}
}

// CheckStack is the *UsageError of a job whose stack metapipe.yml does not declare. An engine
// asks for it before it starts anything: Root and Tool are zero then.
func (j Job) CheckStack() error {
	_, _, err := j.Customer.Module(j.Stack)
	return err
}

// Root is the root module of the job's stack, relative to ManagerDir.
func (j Job) Root() string {
	root, _, _ := j.Customer.Module(j.Stack)
	return root
}

// Tool is the tool of the job's stack.
func (j Job) Tool() ToolRule {
	_, tool, _ := j.Customer.Module(j.Stack)
	return tool
}

// Planned is the result of Engine.Plan.
type Planned struct {
	Plan        Plan
	Artifacts   Artifacts // what Apply needs; empty beside an error
	Evidence    PlanEvidence
	Resources   int // managed ones in the state as it lies, or UnknownResources
	Fingerprint string
}

// Found is the state that the plan was made on.
func (p Planned) Found() StateRecord {
	return StateRecord{StateVersion: p.Evidence.State(), Resources: p.Resources}
}

// Applied is the result of Engine.Apply.
type Applied struct {
	Done        []AppliedResource // in the order of completion
	Imported    int               // resources; the tool reports their number alone
	Outputs     []Output          // ordered by name
	Diagnostics []Diagnostic
	Composed    Composition // what controllers have made of the objects of the stack
	// Started reports whether the tool may have begun to change something. False is
	// a promise: the plan can be applied as if nothing had been.
	Started bool
	// ErroredState is the file of a state that the tool could not write to its
	// backend: the only record of what was done. It holds secrets in clear and
	// goes with the run directory. Empty when the state is where it belongs.
	ErroredState string
	// State is what the backend holds after the apply; nil where that is not known.
	State *StateRecord
}

// AppliedResource is one resource that the tool began to change.
type AppliedResource struct {
	Address string `json:"address"`
	Action  Action `json:"action"`
	Failed  bool   `json:"failed,omitempty"`
	// Unfinished: the tool was stopped before it reported how this one ended. It may
	// exist without being in the state.
	Unfinished bool `json:"unfinished,omitempty"`
}

// DoneText counts what was done. one and many are the words of the tool for what succeeded, such as "change was
// made" and "changes were made".
func DoneText(done []AppliedResource, one, many string) string {
	good, bad, open := 0, 0, 0
	for _, d := range done {
		switch {
		case d.Unfinished:
			open++
		case d.Failed:
			bad++
		default:
			good++
		}
	}
	if good == 1 {
		many = one
	}
	text := fmt.Sprintf("%d %s and %d failed", good, many, bad)
	if open > 0 {
		text += fmt.Sprintf(", %d began and did not end", open)
	}
	return text
}
