package render

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// What only the provider can correct is never handed to a customer.
const (
	nextWait     = "You have nothing to do. Your service provider corrects this and starts the request again."
	nextProvider = "Ask your service provider."
)

// afresh is how a request of a mode is made anew, as a sentence.
func afresh(m pipeline.Mode) string { return capital(m.Afresh()) + "." }

// refusedNext is what a customer does about a plan that was refused, in plain words,
// where the use case does not say it.
func refusedNext(m pipeline.Mode, r pipeline.Reason) string {
	if m == pipeline.ModeDestroy && ofBranch(r) {
		return afresh(m)
	}
	switch r {
	case pipeline.ReasonTampered, pipeline.ReasonUnknownKey, pipeline.ReasonStateLost, pipeline.ReasonMissingProtection, pipeline.ReasonNoDestroy, pipeline.ReasonOtherRepository,
		pipeline.ReasonInexact, pipeline.ReasonMissingCapability:
		return nextWait
	case pipeline.ReasonSuperseded:
		return "Look at how the newer request ended. When it did not end well, " + m.Afresh() + "."
	case pipeline.ReasonSelfApproved:
		return afresh(m) + " Another person must approve it."
	case pipeline.ReasonLocked:
		return "Wait until the other run has ended; then " + m.Afresh() + "."
	case pipeline.ReasonEnvironmentOrder:
		return "Correct the earlier environment first. When it has succeeded, start this request again."
	case pipeline.ReasonUnreviewed:
		return "Open a new pull request from the latest commit of the branch, review its plan, and merge it."
	case pipeline.ReasonBranch:
		return "Merge to a branch that may apply."
	case pipeline.ReasonModeForbids:
		return "Merge the pull request, or push to a branch that may apply."
	case pipeline.ReasonReceiptMismatch:
		return afresh(m) + " Then approve the new plan."
	case pipeline.ReasonUnknownCustomer, pipeline.ReasonInvalidPayload, pipeline.ReasonInvalidVariables, pipeline.ReasonMissingVariables, pipeline.ReasonUnreachable, pipeline.ReasonNotAllowed:
		return rejectedNext(m, r) // a new request alone would end in the same way
	}
	return afresh(m)
}

// refusedAt is refusedNext in the words of a target: a stack waits also for the stacks
// before it.
func refusedAt(m pipeline.Mode, t pipeline.TargetReport, r pipeline.Reason) string {
	if r == pipeline.ReasonEnvironmentOrder && t.Stack != "" {
		return "Correct the earlier stack or environment first. When it has succeeded, start this request again."
	}
	return refusedNext(m, r)
}

// rejectedNext is what a customer does about a request that was not accepted, in plain
// words, where no problem names a remedy.
func rejectedNext(m pipeline.Mode, r pipeline.Reason) string {
	if m == pipeline.ModeDestroy { // the customer did not ask for it
		return nextWait
	}
	switch r {
	case pipeline.ReasonUnknownCustomer:
		return "Ask your service provider to register this repository."
	case pipeline.ReasonOffboarded:
		return "Ask your service provider if you want to go on."
	case pipeline.ReasonUnverified:
		return "Re-run all jobs of your workflow run. If it is rejected again, ask your service provider."
	case pipeline.ReasonReplayed:
		return afresh(m)
	case pipeline.ReasonInvalidPayload:
		return "Ask your service provider which workflow file this repository needs."
	case pipeline.ReasonInvalidVariables:
		return "Correct the variables file, and push again."
	case pipeline.ReasonMissingVariables:
		return "Add the variables file, and push again."
	case pipeline.ReasonUnreachable:
		return "Push the commit to a branch that may deploy."
	case pipeline.ReasonNotAllowed:
		return "Remove the environment from the variables and push again, or ask your service provider to allow it."
	case pipeline.ReasonProperties:
		return "Correct the custom properties of the repository, and run the workflow again."
	case pipeline.ReasonContent:
		return "Correct the files or the content type of the repository, and push again."
	case pipeline.ReasonRenamed, pipeline.ReasonEnvironmentRenamed, pipeline.ReasonTampered, pipeline.ReasonUnknownKey, pipeline.ReasonStateLost, pipeline.ReasonNoDestroy, pipeline.ReasonOtherRepository:
		return nextWait
	}
	return nextProvider
}

// ofBranch reports a reason that a push or a merge answers.
func ofBranch(r pipeline.Reason) bool {
	return r == pipeline.ReasonUnreviewed || r == pipeline.ReasonBranch || r == pipeline.ReasonModeForbids
}

// untouched says of a request that ended without an apply that it changed nothing,
// where its message does not.
func untouched(t pipeline.TargetReport) string {
	switch t.Outcome {
	case pipeline.OutcomeRefused, pipeline.OutcomeRejected, pipeline.OutcomeExpired, pipeline.OutcomeSuperseded, pipeline.OutcomeSkipped:
	default:
		return ""
	}
	switch {
	case t.Message != "" && (t.Reason == pipeline.ReasonStateLost || t.Reason == pipeline.ReasonUnknownKey || t.Reason == pipeline.ReasonOtherRepository):
		return "" // their messages do
	case t.Reason == pipeline.ReasonAlreadyApplied:
		return " This time nothing was changed."
	}
	return " Nothing was changed."
}

func capital(s string) string {
	if s == "" {
		return ""
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
