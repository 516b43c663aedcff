package pipeline

import (
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

// LostState says why a state is not the one that an apply has left.
type LostState struct {
	Customer    CustomerName `json:"customer"`
	Environment Environment  `json:"environment"`
	// Why is for the operator: what was expected and what is there.
	Why string `json:"reason"`
	// Moved: the store has no record of the apply either, so that the store is
	// probably another one than before.
	Moved bool `json:"-"`
}

// Restore is the command that lists what a state can be restored from.
func (l LostState) Restore() string {
	return fmt.Sprintf("metapipe state restore --customer %s --environment %s", l.Customer, l.Environment)
}

// Operator says what the operator does about it.
func (l LostState) Operator() string {
	if l.Moved {
		return fmt.Sprintf("has the store moved (`state` in metapipe.yml, TF_STATE_BUCKET, `--store`)? Then name the old place again, or copy all of it to the new one (docs/RECOVERY.md, \"The store has moved\"); where the infrastructure is gone on purpose: `metapipe state accept --customer %s --environment %s --reason TEXT`", l.Customer, l.Environment)
	}
	return fmt.Sprintf("list what it can be restored from: `%s`; where it is gone on purpose: `metapipe state accept --customer %s --environment %s --reason TEXT`", l.Restore(), l.Customer, l.Environment)
}

// The customer can do nothing about a lost state, so that is what they read.
const (
	lostMessage = "the record of what was built here is missing or out of date, so nothing was planned and nothing was changed"
	lostNext    = "you have nothing to do: your service provider restores the record, and then runs this again"
)

// Refusal is the error of a plan that was made on a lost state.
func (l LostState) Refusal() *RefusedError {
	return &RefusedError{Reason: ReasonStateLost, Message: lostMessage, Next: lostNext, Detail: l.Why, Operator: l.Operator()}
}
