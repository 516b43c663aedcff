package pipeline

import "errors"

// AsLost returns the lost state that err refuses to work on; nil where it says something else.
func AsLost(err error) *LostState {
	var refused *RefusedError
	if errors.As(err, &refused) {
		return refused.Lost
	}
	return nil
}

// Refusal is the error of a plan that was made on a lost state.
func (l LostState) Refusal() *RefusedError {
	return &RefusedError{Reason: ReasonStateLost, Message: lostMessage, Next: lostNext, Detail: l.Why, Operator: l.Operator(), Lost: &l}
}
