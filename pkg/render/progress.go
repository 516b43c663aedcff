package render

import (
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// progressWords describes the first target that is under way.
func progressWords(targets []pipeline.TargetReport) string {
	for _, t := range targets {
		if t.Outcome.Final() || t.Outcome == pipeline.OutcomeRequested || t.Outcome == "" {
			continue
		}
		switch {
		case t.Outcome == pipeline.OutcomePlanning:
			return "Planning " + t.Name()
		case t.Outcome == pipeline.OutcomeApplying:
			return "Applying " + t.Name()
		case t.Gated:
			return waitingWords(t)
		}
		return "Planned " + t.Name() + "; the apply comes next"
	}
	if !slices.ContainsFunc(targets, func(t pipeline.TargetReport) bool { return t.Outcome != pipeline.OutcomeRequested }) {
		return "Accepted: " + namesOf(targets)
	}
	for _, t := range targets {
		if !t.Outcome.Final() {
			return "Accepted; the plan of " + t.Name() + " comes next"
		}
	}
	return "Accepted"
}

// namesOf joins the names of targets.
func namesOf(targets []pipeline.TargetReport) string {
	names := make([]string, 0, len(targets))
	for _, t := range targets {
		names = append(names, t.Name())
	}
	return pipeline.JoinNames(names)
}

// waitingWords names what the approver of a target decides about. What is
// destroyed and replaced goes first, since the line may be cut.
func waitingWords(t pipeline.TargetReport) string {
	head := plain(targetName(t.Target), nameRoom) + " waits for approval"
	if t.Plan == nil {
		return head
	}
	if kind := planKind(*t.Plan); kind != "" {
		head += " of a " + kind
	}
	words := countWords(t.Plan.Counts, future)
	if len(words) == 0 {
		return joinWords(head, planWords(*t.Plan, future))
	}
	var rest, risky []string
	for _, w := range words {
		if dangerWords(w) {
			risky = append(risky, w)
		} else {
			rest = append(rest, w)
		}
	}
	return joinWords(head, strings.Join(append(risky, rest...), ", "))
}

// tally adds up the counts of several targets.
type tally struct {
	names []string
	plan  pipeline.Plan
}

func (s *tally) add(t pipeline.TargetReport) {
	s.names = append(s.names, t.Name())
	if t.Plan == nil {
		return
	}
	s.plan.Counts = s.plan.Counts.Plus(t.Plan.Counts)
	s.plan.Outputs = append(s.plan.Outputs, t.Plan.Outputs...)
	s.plan.Invocations = append(s.plan.Invocations, t.Plan.Invocations...)
	s.plan.Deferred = append(s.plan.Deferred, t.Plan.Deferred...)
	s.plan.Unexplained = s.plan.Unexplained || t.Plan.Unexplained
}

func (s *tally) words(t tense) string {
	return strings.Join(s.names, ", ") + ": " + planWords(s.plan, t)
}
