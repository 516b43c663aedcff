package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// tense is the form of the verbs in a list of counts.
type tense int

const (
	future tense = iota // "3 to add"
	past                // "3 added"
)

// countWords lists the counts that are not zero, as "3 to add". The worst come
// last, where the eye stops.
func countWords(c pipeline.Counts, t tense) []string {
	rows := []struct {
		n            int
		future, past string
	}{
		{c.Create, "to add", "added"},
		{c.Update, "to change", "changed"},
		{c.Import, "to import", "imported"},
		{c.Move, "to move", "moved"},
		{c.Forget, "to forget", "forgotten"},
		{c.Invoke, "to invoke", "invoked"},
		{c.Replace, "to replace", "replaced"},
		{c.Delete, "to destroy", "destroyed"},
		{c.Other, "unknown to this version", "unknown to this version"},
	}
	var out []string
	for _, row := range rows {
		if row.n == 0 {
			continue
		}
		word := row.future
		if t == past {
			word = row.past
		}
		out = append(out, fmt.Sprintf("%d %s", row.n, word))
	}
	return out
}

// planWords says in one line what a plan does (or did).
func planWords(p pipeline.Plan, t tense) string {
	if words := countWords(p.Counts, t); len(words) > 0 {
		return strings.Join(words, ", ")
	}
	switch n := len(p.Outputs); {
	case n > 0 && t == past:
		return plural(n, "output") + " changed"
	case n > 0:
		return plural(n, "output") + " to change"
	case p.Unexplained:
		return "something that this version of metapipe cannot read"
	case len(p.Deferred)+len(p.Invocations) > 0:
		return fmt.Sprintf("nothing yet, %d put off", len(p.Deferred)+len(p.Invocations))
	}
	return "no changes"
}

// doneCounts counts what an apply finished.
func doneCounts(done []pipeline.AppliedResource) (c pipeline.Counts, failed int) {
	for _, d := range done {
		if d.Failed || d.Unfinished {
			failed++
			continue
		}
		c.Add(d.Action)
	}
	return c, failed
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// verb is what people call an action.
func verb(a pipeline.Action) string {
	switch a {
	case pipeline.ActionCreate:
		return "add"
	case pipeline.ActionUpdate:
		return "change"
	case pipeline.ActionDelete:
		return "destroy"
	case pipeline.ActionNone:
		return "keep"
	case pipeline.ActionReplace, pipeline.ActionForget, pipeline.ActionRead:
		return string(a)
	}
	return code(string(a))
}

// verbIn is verb, or after an apply what was done.
func verbIn(a pipeline.Action, t tense) string {
	if t == future {
		return verb(a)
	}
	switch a {
	case pipeline.ActionCreate:
		return "added"
	case pipeline.ActionUpdate:
		return "changed"
	case pipeline.ActionDelete:
		return "destroyed"
	case pipeline.ActionNone:
		return "kept"
	case pipeline.ActionReplace:
		return "replaced"
	case pipeline.ActionForget:
		return "forgotten"
	}
	return verb(a) // "read" is its own past
}

// whyWords explains an action_reason of the plan format. The keys are the ones
// that Terraform and OpenTofu document in "JSON output format"; others are shown
// as they are.
func whyWords(reason string) string {
	switch reason {
	case "":
		return ""
	case "replace_because_tainted":
		return "it is tainted, because its creation did not finish"
	case "replace_because_cannot_update":
		return "it cannot be updated in place"
	case "replace_by_request":
		return "the replacement was asked for"
	case "replace_by_triggers":
		return "something that it is tied to (`replace_triggered_by`) changes"
	case "delete_because_no_resource_config":
		return "it is no longer in the configuration"
	case "delete_because_no_module":
		return "its module is no longer in the configuration"
	case "delete_because_wrong_repetition":
		return "the configuration switched between one and many (`count` or `for_each`)"
	case "delete_because_count_index":
		return "`count` became smaller"
	case "delete_because_each_key":
		return "its key is no longer in `for_each`"
	case "delete_because_enabled_false":
		return "it is switched off (`enabled`)"
	case "delete_because_no_move_target":
		return "it was moved to an address that is not in the configuration"
	case "read_because_config_unknown":
		return "its arguments are known only after apply"
	case "read_because_dependency_pending":
		return "it depends on a resource with changes"
	case "read_because_check_nested":
		return "a check reads it"
	}
	return code(reason)
}

// reasonWords says in plain words why a request was rejected or a plan refused.
func reasonWords(r pipeline.Reason) string {
	switch r {
	case pipeline.ReasonUnknownCustomer:
		return "this repository is not registered as a customer"
	case pipeline.ReasonUnverified:
		return "the origin of the request could not be proved"
	case pipeline.ReasonReplayed:
		return "the request was used before"
	case pipeline.ReasonInvalidPayload:
		return "the request is malformed"
	case pipeline.ReasonInvalidVariables:
		return "the variables are not valid"
	case pipeline.ReasonMissingVariables:
		return "there is no variables file"
	case pipeline.ReasonUnreachable:
		return "the commit is not on a branch that may deploy"
	case pipeline.ReasonNotAllowed:
		return "the environment is not allowed for this customer"
	case pipeline.ReasonOffboarded:
		return "the service provider has ended the deployments of this repository"
	case pipeline.ReasonProperties:
		return "the custom properties of the repository cannot be used"
	case pipeline.ReasonContent:
		return "the files do not fit the content type of the repository"
	case pipeline.ReasonRenamed:
		return "the provider keeps this customer under another name"
	case pipeline.ReasonEnvironmentRenamed:
		return "the provider may keep this environment under another name"
	case pipeline.ReasonStaleVariables:
		return "the variables changed after the plan"
	case pipeline.ReasonStaleManager:
		return "the manager's code changed after the plan"
	case pipeline.ReasonStaleState:
		return "the infrastructure's state changed after the plan"
	case pipeline.ReasonStaleProperties:
		return "a custom property of the repository became stricter after the plan"
	case pipeline.ReasonOtherEnvironment:
		return "the plan was made for another environment"
	}
	return refusalWords(r)
}

func refusalWords(r pipeline.Reason) string {
	switch r {
	case "":
		return ""
	case pipeline.ReasonOtherTool:
		return "the plan was made by another tool or version"
	case pipeline.ReasonExpired:
		return "the plan expired"
	case pipeline.ReasonTampered:
		return "the plan or its receipt was altered"
	case pipeline.ReasonUnknownKey:
		return "the key that decrypts the plan is not available"
	case pipeline.ReasonSuperseded:
		return "a newer request took its place"
	case pipeline.ReasonAlreadyApplied:
		return "the plan was applied before"
	case pipeline.ReasonUnreviewed:
		return "no pull request has shown this plan"
	case pipeline.ReasonInexact:
		return "the plan is less exact than the environment demands"
	case pipeline.ReasonNotPlanned:
		return "there is no plan to apply"
	case pipeline.ReasonMissingProtection:
		return "its environment lacks a protection rule that the manager requires"
	case pipeline.ReasonSelfApproved:
		return "the requester approved it; another reviewer must approve"
	case pipeline.ReasonModeForbids:
		return "the request asks for a plan only"
	case pipeline.ReasonEnvironmentOrder:
		return "an environment that comes before it did not succeed"
	case pipeline.ReasonReceiptMismatch:
		return "a different plan was approved"
	case pipeline.ReasonLocked:
		return "another run holds the lock of the state"
	case pipeline.ReasonStateLost:
		return "the record of what was built here is missing, damaged or out of date"
	case pipeline.ReasonOtherRepository:
		return "the infrastructure here belongs to another repository"
	case pipeline.ReasonNoDestroy:
		return "metapipe could not determine what to destroy"
	case pipeline.ReasonMissingCapability:
		return "the tool of the environment cannot do what this takes"
	case pipeline.ReasonBranch:
		return "this branch may not apply to the environment"
	}
	return strings.ReplaceAll(string(r), "-", " ")
}

// refusedWords are reasonWords for a target, which knows whether there was a
// review at all.
func refusedWords(t pipeline.TargetReport) string {
	if t.Reason == pipeline.ReasonEnvironmentOrder && t.Stack != "" {
		return "a stack or environment that comes before it did not succeed"
	}
	if t.Reason != pipeline.ReasonUnreviewed {
		return reasonWords(t.Reason)
	}
	switch t.Reviewed {
	case pipeline.ReviewedDifferent:
		return "the plan is not the one that was reviewed"
	case pipeline.ReviewedOtherKey:
		return "the reviewed plan was made under an older key"
	case pipeline.ReviewedUnseen:
		return "the pull request showed no plan for this " + partWord([]pipeline.TargetReport{t})
	}
	return reasonWords(t.Reason)
}
