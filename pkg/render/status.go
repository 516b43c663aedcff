package render

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// StatusLimit is the length of a commit status description in characters.
const StatusLimit = pipeline.StatusLimit

// statusRoom leaves a place for the request's short id, which is written behind
// the description, without cutting the count at its end.
const statusRoom = StatusLimit - len(" (12345678)")

// Status returns the description of the commit status of one target, or with the
// zero target of the whole report: one line of plain text, never empty,
// and so short that the short request id still fits behind it.
func (r Renderer) Status(rep pipeline.Report, t pipeline.Target) string {
	return plain(status(rep, t), statusRoom)
}

func status(rep pipeline.Report, t pipeline.Target) string {
	if rep.Request.Mode == pipeline.ModeDestroy {
		if t.Environment == "" && len(rep.Targets) == 1 { // as it always has
			t = rep.Targets[0].Target
		}
		return "Destroy · " + ordinaryStatus(rep, t)
	}
	return ordinaryStatus(rep, t)
}

func ordinaryStatus(rep pipeline.Report, target pipeline.Target) string {
	if target.Environment != "" {
		for _, t := range rep.Targets {
			if t.Target == target {
				return targetStatus(rep, t)
			}
		}
	}
	switch {
	case rep.Request.Rejected():
		return rejectionWords(rep.Request)
	case target.Environment != "" || len(rep.Targets) == 0:
		return idleWords(rep.Request, target)
	}
	w := worst(rep.Targets)
	switch {
	case severity(w.Outcome) < 5:
		if len(rep.Targets) == 1 {
			return targetStatus(rep, w)
		}
		return named(w.Target, targetStatus(rep, w))
	case !w.Outcome.Final():
		return progressWords(rep.Targets)
	}
	return successWords(rep.Targets)
}

// named puts the target before a status, and clips so that a count at the
// end stays.
func named(t pipeline.Target, words string) string {
	head := plain(targetName(t), nameRoom) + ": "
	tail := ""
	if i := strings.LastIndex(words, " (+"); i >= 0 && strings.HasSuffix(words, " more)") && len(words)-i < 20 {
		words, tail = words[:i], words[i:]
	}
	return head + plain(words, statusRoom-utf8.RuneCountInString(head)-len(tail)) + tail
}

// rejectionWords names the first problem with its line, and how many more there
// are. Errors go before warnings.
func rejectionWords(req pipeline.Request) string {
	list := 0
	var first pipeline.Problem
	for _, p := range req.Problems {
		if p.Warning {
			continue
		}
		if list == 0 {
			first = p
		}
		list++
	}
	if list == 0 {
		return "Rejected: " + reasonWords(req.Reason)
	}
	return located(lineOnly(first.Position), first.Message, list-1)
}

// located is "file:line: message (+2 more)", clipped so that the count stays.
func located(where, message string, more int) string {
	tail := ""
	if more > 0 {
		tail = fmt.Sprintf(" (+%d more)", more)
	}
	if where != "" {
		message = where + ": " + message
	}
	return plain(message, statusRoom-len(tail)) + tail
}

func idleWords(req pipeline.Request, t pipeline.Target) string {
	if req.Properties.OnlyApp() {
		return "No infrastructure: " + clip(req.Properties.Name(pipeline.MeaningContent), 40) + " is " + string(req.Properties.Content) + ". Nothing is deployed, and nothing is destroyed"
	}
	if req.NoTools() {
		return "No tools enabled: nothing is deployed, and nothing is destroyed"
	}
	for _, removed := range req.Removed {
		if t.Environment == removed {
			return "Not in the variables any more; nothing is destroyed"
		}
	}
	if len(req.Removed) > 0 && t.Environment == "" {
		return "Nothing to do: no environment is left in the variables; nothing is destroyed"
	}
	return "Nothing to do"
}

func targetStatus(rep pipeline.Report, t pipeline.TargetReport) string {
	plan := ""
	if t.Plan != nil {
		plan = wordsOf(rep, *t.Plan, future)
	}
	switch t.Outcome {
	case pipeline.OutcomeWaiting:
		return joinWords(outcomeWords(t), plan)
	case pipeline.OutcomeApplied:
		return appliedWords(rep, t)
	case pipeline.OutcomePlanned:
		if plan == "" {
			return "Planned"
		}
		return "Plan: " + plan + planOnlyWords(t)
	case pipeline.OutcomeNoChanges:
		return "No changes" + planOnlyWords(t)
	case pipeline.OutcomeFailed:
		return failureWords(t)
	case pipeline.OutcomeRejected:
		if rep.Request.Rejected() {
			return rejectionWords(rep.Request)
		}
		return joinWords("Rejected", orReason(t))
	case pipeline.OutcomeRefused:
		return joinWords("Not applied", orReason(t))
	case pipeline.OutcomeSkipped:
		return stopWords(rep.Targets, t)
	case pipeline.OutcomeDeferred:
		return joinWords(outcomeWords(t), t.Message)
	}
	return endStatus(t)
}

func endStatus(t pipeline.TargetReport) string {
	switch t.Outcome {
	case pipeline.OutcomeRequested, "":
		return "Waiting for the plan"
	case pipeline.OutcomePlanning:
		return "Planning"
	case pipeline.OutcomeApplying:
		return "Applying"
	case pipeline.OutcomeCancelled:
		if len(t.Done) > 0 {
			return "Cancelled during the apply. The state holds the changes that were made"
		}
		return joinWords("Cancelled", t.Message)
	case pipeline.OutcomeExpired:
		return "Expired: the plan was not applied in time; request a new one"
	case pipeline.OutcomeSuperseded:
		return "Superseded by a newer request"
	}
	return joinWords(string(t.Outcome), t.Message)
}

// orReason prefers the stable words of a reason, which always fit, to a message.
func orReason(t pipeline.TargetReport) string {
	if t.Reason != "" {
		return refusedWords(t)
	}
	return t.Message
}

func planOnlyWords(t pipeline.TargetReport) string {
	if t.PlanOnly == "" {
		return ""
	}
	return "; only planned: " + t.PlanOnly
}

// failureWords names the first error, by the customer's own line where it is
// known.
func failureWords(t pipeline.TargetReport) string {
	head := outcomeWords(t)
	if done, failed := doneCounts(t.Done); len(t.Done) > failed {
		head += " after " + strings.Join(countWords(done, past), ", ")
	}
	list := problemsOf(t).errors
	if len(list) == 0 {
		return joinWords(head, t.Message)
	}
	if first := list[0]; first.Source.File != "" {
		return located(lineOnly(first.Source), first.Summary, len(list)-1)
	}
	return located("", head+": "+list[0].Summary, len(list)-1)
}

// stopWords names the target for whose sake t was not started.
func stopWords(targets []pipeline.TargetReport, t pipeline.TargetReport) string {
	for _, earlier := range targets {
		if earlier.Target == t.Target {
			break
		}
		if earlier.Outcome.Final() && !earlier.Outcome.Succeeded() && earlier.Outcome != pipeline.OutcomeSkipped {
			return fmt.Sprintf("Stopped: %s %s", earlier.Name(), endedWord(earlier.Outcome))
		}
	}
	return joinWords("Stopped", t.Message)
}

func endedWord(o pipeline.Outcome) string {
	switch o {
	case pipeline.OutcomeFailed, pipeline.OutcomeExpired:
		return string(o)
	}
	return "was " + string(o)
}

// successWords sums up a report in which everything that was asked for is done, as far as
// it could be.
func successWords(targets []pipeline.TargetReport) string {
	var done []pipeline.TargetReport
	var deferred []string
	for _, t := range targets {
		if t.Outcome == pipeline.OutcomeDeferred {
			deferred = append(deferred, t.Name())
			continue
		}
		done = append(done, t)
	}
	switch {
	case len(deferred) == 0:
		return doneWords(targets)
	case len(targets) == 1:
		return targetStatus(pipeline.Report{}, targets[0])
	case len(done) == 0:
		return "Not known yet: " + strings.Join(deferred, ", ")
	case len(done) == 1:
		return named(done[0].Target, targetStatus(pipeline.Report{}, done[0])) + "; not known yet: " + strings.Join(deferred, ", ")
	}
	return doneWords(done) + "; not known yet: " + strings.Join(deferred, ", ")
}

func doneWords(targets []pipeline.TargetReport) string {
	applied, planned := tally{}, tally{}
	for _, t := range targets {
		switch t.Outcome {
		case pipeline.OutcomeApplied:
			applied.add(t)
		case pipeline.OutcomePlanned:
			planned.add(t)
		}
	}
	switch {
	case len(applied.names) == 0 && len(planned.names) == 0:
		return "No changes"
	case len(applied.names) == 0 && len(targets) == 1:
		return targetStatus(pipeline.Report{}, targets[0])
	case len(applied.names) == 0:
		return "Plan for " + planned.words(future)
	case len(planned.names) == 0 && len(targets) == 1:
		return appliedWords(pipeline.Report{}, targets[0])
	case len(planned.names) == 0:
		return "Applied to " + applied.words(past)
	}
	return "Applied to " + applied.words(past) + "; only planned: " + strings.Join(planned.names, ", ")
}
