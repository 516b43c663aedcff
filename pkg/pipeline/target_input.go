package pipeline

import (
	"fmt"
	"io"
)

// TargetInput is one call of plan or apply.
type TargetInput struct {
	Customer      Customer
	Request       RequestID
	Environment   Environment
	Stack         StackName
	ManagerDir    string // absolute
	ManagerCommit SHA
	RunDir        string // absolute
	// SpareDir takes what outlasts the run directory where the store is gone:
	// a sealed state that could not be written. Absolute.
	SpareDir string
	Backend  Backend
	Run      Run
	Host     string // of this machine
	// Receipt is the digest of the receipt that was approved, or its short code;
	// apply refuses another one. Empty skips the comparison.
	Receipt string
	// Actor is who runs the command, as the runner says; on a laptop its user, marked as
	// unverified.
	Actor string
	Log   io.Writer
	// Mask hides what must not be seen on the way to a writer, as in front of Log;
	// nil where nothing is known to be secret.
	Mask func(io.Writer) io.WriteCloser
}

// SupersededError says that a newer request took the place of this one.
func SupersededError(request Request, t Target, newer RequestID) *RefusedError {
	return &RefusedError{Reason: ReasonSuperseded, Message: fmt.Sprintf("request %s for %s was superseded by request %s", request.ID.Short(), t, newer.Short()),
		Next: "look at how the newer request ended; when it did not end well, " + request.Mode.Afresh(), Operator: supersededOperator(request.Mode), Newer: newer}
}

func supersededOperator(m Mode) string {
	if m.Restart() == "" {
		return ""
	}
	return "look at how the newer request ended; then " + m.Restart()
}

// IsPermanent reports whether a plan that was refused for this reason can never be
// applied.
func (r Reason) IsPermanent() bool {
	switch r {
	case "", ReasonEnvironmentOrder, ReasonMissingProtection, ReasonSelfApproved, ReasonReceiptMismatch, ReasonUnknownKey:
		return false
	}
	return true
}

// LogOrDiscard is the log of the job, or a writer that drops everything.
func (in TargetInput) LogOrDiscard() io.Writer {
	if in.Log == nil {
		return io.Discard
	}
	return in.Log
}

// Target is the one that the call is for.
func (in TargetInput) Target() Target {
	return Target{Customer: in.Customer.Name, Environment: in.Environment, Stack: in.Stack}
}

// GateEnvironment is the rule of the target's environment for this request, and why it is gated. A
// destroy needs an approval in every environment.
func (r Request) GateEnvironment(in TargetInput) (rule EnvironmentRule, why string) {
	rule, _ = in.Customer.Manager.Rule(in.Environment)
	if r.Mode == ModeDestroy && !rule.Gated {
		rule.Gated = true
		return rule, "a destroy needs an approval"
	}
	if r.NeedsPropertyApproval() && !rule.Gated {
		rule.Gated = true
		return rule, fmt.Sprintf("the property %s of %s asks for an approval", r.Properties.Name(MeaningApproval), r.Repository)
	}
	return rule, fmt.Sprintf("metapipe.yml says that %s is gated", in.Environment)
}
