package pipeline

import "context"

// What an engine can do beside Plan and Apply is an interface of its own, found by type
// assertion: Capable asks for it. An engine without it works all the same; the commands
// that need it say so.

// ReadOnlyPlanner makes plans for people to read: those of pull requests and dry runs.
type ReadOnlyPlanner interface {
	// PlanReadOnly is Engine.Plan that takes no lock and writes no state. Its plan is never
	// applied.
	PlanReadOnly(ctx context.Context, job Job) (Planned, error)
}

// OutputReader reads the outputs of a stack for the stacks that need them. All pass
// CheckOutputs, in the order of their names.
type OutputReader interface {
	// PlannedOutputs are those that the stack has after a plan that was made of job just now.
	// One that the plan computes or changes has no value. Outputs that cannot be passed on are
	// a *FailedError.
	PlannedOutputs(job Job, planned Planned) ([]OutputValue, error)
	// AppliedOutputs are those that the state has after an Apply that has just ended in
	// job.Dir, well or not, as long as it has left no Applied.ErroredState. They are read also
	// when ctx is cancelled, in bounded time.
	AppliedOutputs(ctx context.Context, job Job, plan StoredPlan) ([]OutputValue, error)
}

// StateReader reads the state of a target where it lies.
type StateReader interface {
	// State returns the version of the state of job's target and its size in bytes, 0
	// where there is none. A state that is damaged is a refusal.
	State(ctx context.Context, job Job) (StateRecord, int64, error)
}

// LockReleaser releases locks on states.
type LockReleaser interface {
	// ReleaseLock releases exactly the lock with that id from the state of job's
	// target; a *RefusedError when a process of this machine holds it, an error when
	// the lock is another one.
	ReleaseLock(ctx context.Context, job Job, id string) error
}

// LockFinder is an engine whose states and locks have places of their own: it alone finds them,
// as a StateReader and here.
type LockFinder interface {
	// FindLock is the lock on the state of job's target; nil where it is free.
	FindLock(ctx context.Context, job Job) (*Lock, error)
}

// KeyKeeper is an engine whose tool encrypts what is secret in its states under the keys of
// metapipe.
type KeyKeeper interface {
	// NeedsOlderKey reports whether the state of job's target opens under another key than the
	// first one.
	NeedsOlderKey(ctx context.Context, job Job) (bool, error)
}

// StatePusher writes a state that an apply could not write.
type StatePusher interface {
	// PushState writes a kept state to the backend of job's target and returns the
	// version that it has there. It is a *RefusedError when the backend holds a
	// state of another lineage, or one that someone wrote since the plan, unless
	// kept.Replace is set.
	PushState(ctx context.Context, job Job, kept KeptState) (StateVersion, error)
}

// StateMover copies states between the backends of targets.
type StateMover interface {
	StatePusher
	// PullState writes the state of job's target to file, in clear. The record of a
	// backend without a state has no lineage.
	PullState(ctx context.Context, job Job, file string) (StateRecord, error)
	// SameState reports whether two files of PullState have the same content, whatever
	// their lineage and serial. Both are of the tool of job's target.
	SameState(job Job, a, b string) (bool, error)
}

// Stateless is an engine whose tool keeps no state: NoState is what its targets have, and what
// copies states has nothing to copy.
type Stateless interface{ KeepsNoState() }

// FleetEngine looks for drift.
type FleetEngine interface {
	// NewFleet returns a Fleet that keeps what its targets share below dir (absolute), where
	// the targets and the fleets of other tools are as well.
	NewFleet(dir string) Fleet
}

// Fleet looks at many targets, at several of them at once.
type Fleet interface {
	StateReader
	// Plan plans a target as ReadOnlyPlanner does.
	Plan(ctx context.Context, job Job) (Planned, error)
}

// ToolFinder finds its tool before it is needed.
type ToolFinder interface {
	// FindTool is a *UsageError that names the remedies where no tool fits the rule.
	FindTool(ctx context.Context, rule ToolRule) error
}

// RootReader reads the code of root modules before the tool runs. dir is the manager's
// checkout, root a slash-separated path below it, tool the name of the tool that reads it.
type RootReader interface {
	// CheckRoot returns what keeps a plan from using the root module. parsed is false where
	// its code cannot be parsed, so that nothing else is known of it.
	CheckRoot(dir, root, tool string) (problems Problems, parsed bool)
	// RootVariables are the variables of a root module that customers may set, by name:
	// true for one that they must set.
	RootVariables(dir, root, tool string) (map[string]bool, error)
	// OwnVariable reports the variables that metapipe itself sets.
	OwnVariable(name string) bool
	// CheckTree returns what keeps a plan from copying the checkout, such as links that lead
	// out of it; stateDir is the directory of local states in it, or empty.
	CheckTree(ctx context.Context, dir, root, stateDir string) (Problems, error)
}

// NeedsReader knows which parts of a root take in the outputs of other stacks, where that is not one
// variable with the name of the stack.
type NeedsReader interface {
	// TakesOutputs reports whether the root takes in an output of the stack; dir and root are those of
	// RootReader.
	TakesOutputs(dir, root string, of StackName) (bool, error)
	// HoldsOutput reports a variable of RootVariables that holds an output of one of the stacks. No customer
	// sets it.
	HoldsOutput(variable string, needs []StackName) bool
	// CheckSettable returns what a customer may set of the root and must not. needs are the stacks whose outputs
	// the root takes in.
	CheckSettable(dir, root string, needs []StackName) Problems
}

// StackReader compares a root with the stacks and environments of metapipe.yml that it serves.
type StackReader interface {
	// CheckStacks returns what keeps a plan from using the root for its stacks; dir and root are those of RootReader.
	CheckStacks(dir, root string, m Manager) Problems
}

// Capability names in plain words what a command needs of an engine.
type Capability string

// The capabilities, as they end the sentence "metapipe cannot …".
const (
	CapabilityReadOnly Capability = "make read-only plans"
	CapabilityOutputs  Capability = "read outputs for other stacks"
	CapabilityState    Capability = "read states"
	CapabilityLocks    Capability = "release locks"
	CapabilityRecovery Capability = "bring states back"
	CapabilityMove     Capability = "copy states to another name"
	CapabilityDrift    Capability = "look for drift"
	CapabilityRoots    Capability = "read root modules"
)

// Capable returns the engine of tool as the interface that needed stands for, or a
// *UsageError that says that it lacks it.
func Capable[T any](engine Engine, tool string, needed Capability) (T, error) {
	capable, ok := engine.(T)
	if !ok {
		return capable, Usagef("metapipe cannot %s with %s", needed, tool).Nextf("use %s itself for that, or another tool (tool.name in metapipe.yml)", tool)
	}
	return capable, nil
}
