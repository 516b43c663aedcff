package pipeline

import (
	"context"
	"fmt"
)

// StateRecord is a version of a state with the number of resources in it.
type StateRecord struct {
	StateVersion
	Resources int `json:"resources"` // managed ones; UnknownResources where the state does not say
}

// UnknownResources is the number of resources of a state that cannot be read, such as
// an encrypted one.
const UnknownResources = -1

// NoState is the record of a target whose tool keeps no state: nothing of it can be lost, and
// what the tool has built is not counted.
func NoState() StateRecord { return StateRecord{Resources: UnknownResources} }

// IsNone reports whether there is no state, of a tool that keeps one.
func (s StateRecord) IsNone() bool { return s.Lineage == "" && s != NoState() }

// LostState says why a state is not the one that an apply has left.
type LostState struct {
	Target
	// Why is for the operator: what was expected and what is there.
	Why string `json:"reason"`
	// Moved: the store has no record of the apply either, so that the store is
	// probably another one than before.
	Moved bool `json:"-"`
	// Damaged: something is there, and it is not a state.
	Damaged bool `json:"damaged,omitempty"`
}

// DamagedState says that place holds something that is not a state. why says what is wrong
// with it and quotes nothing of it.
func DamagedState(t Target, place, why string) LostState {
	return LostState{Target: t, Damaged: true,
		Why: fmt.Sprintf("the state of %s is damaged: %s holds something that is not a state (%s)", t, place, why)}
}

// Restore is the command that lists what a state can be restored from.
func (l LostState) Restore() string {
	return "metapipe state restore " + l.Flags()
}

// Operator says what the operator does about it.
func (l LostState) Operator() string {
	if l.Moved {
		return fmt.Sprintf("has the store moved (`state` in metapipe.yml, TF_STATE_BUCKET, `--store`)? Then name the old place again, or copy all of it to the new one "+
			"(docs/RECOVERY.md, \"The store has moved\"); where the infrastructure is gone on purpose: `metapipe state accept %s --reason TEXT`", l.Flags())
	}
	if l.Damaged {
		return fmt.Sprintf("list what it can be restored from: `%s`", l.Restore())
	}
	return fmt.Sprintf("list what it can be restored from: `%s`; where it is gone on purpose: `metapipe state accept %s --reason TEXT`",
		l.Restore(), l.Flags())
}

// The customer can do nothing about a lost state, so that is what they read.
const (
	lostMessage = "the record of what was built here is missing, damaged or out of date, so nothing was planned and nothing was changed"
	lostNext    = "you have nothing to do: your service provider restores the record, and then runs this again"
)

// LeftNothing reports whether a destroy that went well has left no resource.
func (s *StateRecord) LeftNothing() bool {
	return s != nil && (s.Resources == 0 || s.Resources == UnknownResources)
}

// Deployed is an apply that GitHub remembers: a deployment that report has made in the
// customer's repository. It outlasts a store that was moved, or emptied.
type Deployed struct {
	Deployment int64     `json:"deployment"` // id
	Commit     SHA       `json:"commit"`
	Request    RequestID `json:"request"`
}

func (d Deployed) String() string {
	return fmt.Sprintf("deployment %d on GitHub (commit %s, request %s)", d.Deployment, d.Commit.Short(), d.Request.Short())
}

// DeployedGitHub is the memory of applies outside of the store.
type DeployedGitHub interface {
	// FindDeployment returns the newest deployment of any commit to an environment, or to
	// any one where that is empty, that fits; found is false when all were looked at and none does. Too many to look at
	// are an error.
	FindDeployment(ctx context.Context, repo Slug, environment string, fits func(Deployment) bool) (d Deployment, found bool, err error)
}

// Moved says that a target which GitHub knows as applied has neither a record nor a
// state at the place that is looked at.
func (d Deployed) Moved(t Target, place string) *LostState {
	return &LostState{Target: t, Moved: true,
		Why: fmt.Sprintf("the state of %s is not here: %s says that it was applied, and there is no state in %s and no record of that apply in the store", t, d, place)}
}

// KeptState is a state that an apply could not write to its backend.
type KeptState struct {
	File    string       // in clear: it holds secrets
	Planned StateVersion // what the plan of that apply was made on
	// Unlock is the id of a lock to release first: that of the failed apply, which
	// could not reach its backend to do so. Mostly empty.
	Unlock string
	// Replace is set where the file replaces any state. It is called once, after the tool
	// has read the file and before the backend changes. damaged: the tool cannot read what
	// is there, so Replace removes it; elsewhere the tool overwrites it under its lock.
	Replace func(ctx context.Context, damaged bool) error
}

// StateVersion identifies one version of a Terraform state. The zero value
// means that there is no state yet.
type StateVersion struct {
	Lineage string `json:"lineage,omitempty"`
	Serial  uint64 `json:"serial"`
}
