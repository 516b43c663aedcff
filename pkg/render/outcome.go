package render

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The few signs that are used, each with one meaning.
const (
	signBad     = "❌"  // failed, rejected
	signCare    = "⚠️" // look here
	signDestroy = "🗑️" // destroy, destroyed
	signReplace = "♻️" // replace, replaced
	signGood    = "✅"
	signWaiting = "⏳"
	signStopped = "➖" // ended without being done
)

func sign(o pipeline.Outcome) string {
	switch {
	case !o.Final():
		return signWaiting
	case o.Succeeded():
		return signGood
	case o == pipeline.OutcomeRejected || o == pipeline.OutcomeRefused || o == pipeline.OutcomeFailed:
		return signBad
	}
	return signStopped
}

// careful reports a plan that a reviewer should look at twice.
func careful(p pipeline.Plan) bool {
	return p.Counts.Careful() || p.Unexplained || p.Exactness != pipeline.ExactnessExact || len(p.Unknown)+len(p.Invocations) > 0
}

// outcomeWords names the outcome of a target in two or three words.
func outcomeWords(t pipeline.TargetReport) string {
	switch t.Outcome {
	case pipeline.OutcomeRequested, "":
		return "Accepted"
	case pipeline.OutcomePlanning:
		return "Planning"
	case pipeline.OutcomeWaiting:
		if t.Gated {
			return "Waiting for approval"
		}
		return "Apply to come"
	case pipeline.OutcomeApplying:
		return "Applying"
	case pipeline.OutcomeApplied:
		return "Applied"
	case pipeline.OutcomeNoChanges:
		return "No changes"
	case pipeline.OutcomePlanned:
		return "Planned"
	case pipeline.OutcomeDeferred:
		return "Not known yet"
	case pipeline.OutcomeRejected:
		return "Rejected"
	case pipeline.OutcomeRefused:
		return "Not applied"
	case pipeline.OutcomeFailed:
		if applyBegan(t) {
			return "Apply failed"
		}
		return "Plan failed"
	case pipeline.OutcomeCancelled:
		return "Cancelled"
	case pipeline.OutcomeExpired:
		return "Expired"
	case pipeline.OutcomeSuperseded:
		return "Superseded"
	case pipeline.OutcomeSkipped:
		return "Not started"
	}
	return plainText(clip(string(t.Outcome), 40))
}

// applyBegan reports whether a target that did not succeed got as far as its
// apply: only a plan that is good to apply has a receipt.
func applyBegan(t pipeline.TargetReport) bool {
	return len(t.Done) > 0 || t.ReceiptCode != "" && t.Applies
}

// explain says what the outcome means and what to do next, as untrusted prose
// where the use case has said it and in our own words where it has not.
func explain(mode pipeline.Mode, t pipeline.TargetReport) (what, next string) {
	what, next = ownWords(mode, t)
	if t.Message != "" {
		what = plainText(t.Message)
		if more := untouched(t); more != "" {
			what = strings.TrimRight(what, ".") + "." + more
		}
	}
	if t.Next != "" {
		next = plainText(t.Next)
	}
	return what, next
}

// planOnly is left out where the title says it.
const planOnly = "A plan only: nothing was changed."

func ownWords(mode pipeline.Mode, t pipeline.TargetReport) (what, next string) {
	switch t.Outcome {
	case pipeline.OutcomeRequested, "":
		return "The request is accepted. Nothing is planned yet.", ""
	case pipeline.OutcomePlanning:
		return "The plan is being made.", ""
	case pipeline.OutcomeWaiting:
		if t.Gated {
			return "Nothing happens until a reviewer approves.", "A reviewer of the service provider approves or rejects the plan in the manager's run."
		}
		return "The apply starts next.", ""
	case pipeline.OutcomeApplying:
		return "The apply is running.", ""
	case pipeline.OutcomeNoChanges:
		return "No changes: the infrastructure matches the variables.", ""
	case pipeline.OutcomePlanned:
		if !t.Applies && t.PlanOnly == "" {
			return planOnly, ""
		}
	case pipeline.OutcomeRefused:
		return "The plan was not applied: " + plainText(refusedWords(t)) + "." + untouched(t), refusedAt(mode, t, t.Reason)
	case pipeline.OutcomeRejected:
		return "The request was not accepted: " + plainText(reasonWords(t.Reason)) + ". Nothing was changed.", rejectedNext(mode, t.Reason)
	}
	return endWords(mode, t)
}

func endWords(mode pipeline.Mode, t pipeline.TargetReport) (what, next string) {
	switch t.Outcome {
	case pipeline.OutcomeFailed, pipeline.OutcomeCancelled:
		word := "failed"
		if t.Outcome == pipeline.OutcomeCancelled {
			word = "was stopped"
		}
		if applyBegan(t) {
			return "The apply " + word + " before it was complete. The state holds the changes that were made.",
				afresh(mode) + " The new plan starts from the current state. This plan cannot be applied again."
		}
		return "The plan " + word + ". Nothing was changed.", afresh(mode)
	case pipeline.OutcomeExpired:
		return "The plan was not applied in time. Nothing was changed.", afresh(mode)
	case pipeline.OutcomeSuperseded:
		return "A newer request took the place of this one, which changed nothing.", refusedNext(mode, pipeline.ReasonSuperseded)
	case pipeline.OutcomeSkipped:
		earlier := "environment"
		if t.Stack != "" {
			earlier = "stack or environment"
		}
		return "An earlier " + earlier + " did not succeed, so this one was not started. Nothing was changed.", refusedAt(mode, t, pipeline.ReasonEnvironmentOrder)
	}
	return "", ""
}

// severity orders outcomes for the headline of a whole report: the lowest wins.
func severity(o pipeline.Outcome) int {
	switch {
	case o == pipeline.OutcomeFailed || o == pipeline.OutcomeRejected || o == pipeline.OutcomeRefused:
		return 0
	case o == pipeline.OutcomeCancelled:
		return 1
	case o == pipeline.OutcomeExpired:
		return 2
	case o == pipeline.OutcomeSuperseded:
		return 3
	case o == pipeline.OutcomeSkipped:
		return 4
	case !o.Final():
		return 5
	}
	return 6
}

// worst returns the target that decides how the whole report reads: the first
// of the most severe ones. There must be a target.
func worst(targets []pipeline.TargetReport) pipeline.TargetReport {
	out := targets[0]
	for _, t := range targets[1:] {
		if severity(t.Outcome) < severity(out.Outcome) {
			out = t
		}
	}
	return out
}

// actionSign is the sign before what is done to a resource, with a blank behind
// it; empty for what needs none.
func actionSign(a pipeline.Action) string {
	switch {
	case a == pipeline.ActionDelete:
		return signDestroy + " "
	case a == pipeline.ActionReplace:
		return signReplace + " "
	case !a.Known():
		return signCare + " "
	}
	return ""
}
