package pipeline

import (
	"io"
)

// IsPermanent reports whether a plan that was refused for this reason can never be
// applied.
func (r Reason) IsPermanent() bool {
	switch r {
	case "", ReasonEnvironmentOrder, ReasonMissingProtection, ReasonSelfApproved, ReasonReceiptMismatch, ReasonUnknownKey:
		return false
	}
	return true
}

func (in TargetInput) LogOrDiscard() io.Writer {
	if in.Log == nil {
		return io.Discard
	}
	return in.Log
}
