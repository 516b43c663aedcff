package render

import (
	"sort"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// pass writes one part of every section, in the order of importance; share of
// the room that is left is the most that all of them may take together.
type pass struct {
	part      int
	num, over int
	write     func(s scribe, d draft, room size) string
}

func passes() []pass {
	return []pass{
		{partProblems, 1, 2, scribe.diagnostics},
		{partDone, 1, 2, scribe.done},
		{partOutputs, 1, 2, scribe.outputs},
		{partFacts, 1, 2, scribe.facts},
		{partComposed, 1, 3, scribe.composed},
		{partChanges, 1, 1, scribe.changes},
	}
}

// sections writes what all targets destroy and replace, and then the sections of
// the first n of them, within room. Sections that need less than their share leave
// the rest to the bigger ones.
func (s scribe) sections(targets []pipeline.TargetReport, n int, room size) (dangers, sections string) {
	drafts := make([]draft, len(targets))
	for i, t := range targets {
		drafts[i] = draft{t: t, d: digestOf(t)}
		if i < n {
			drafts[i].head = s.environmentHead(targets, i) + s.within(t).head(t)
		}
		room = room.minus(measure(drafts[i].head))
	}
	dangers = s.dangers(drafts, room.part(3, 5))
	room = room.minus(measure(dangers))
	drafts = drafts[:n]
	smallFirst := make([]int, len(drafts))
	for i := range smallFirst {
		smallFirst[i] = i
	}
	sort.SliceStable(smallFirst, func(a, b int) bool {
		return drafts[smallFirst[a]].d.weight < drafts[smallFirst[b]].d.weight
	})
	for _, p := range passes() {
		left := room.part(p.num, p.over)
		for k, i := range smallFirst {
			text := p.write(s.within(drafts[i].t), drafts[i], left.part(1, len(drafts)-k))
			drafts[i].parts[p.part] = text
			left, room = left.minus(measure(text)), room.minus(measure(text))
		}
	}
	var out strings.Builder
	for _, d := range drafts {
		out.WriteString(d.head)
		for _, text := range d.parts {
			out.WriteString(text)
		}
	}
	return dangers, out.String()
}

// head is what a reviewer sees first: outcome, counts, and what to be careful of.
func (s scribe) head(t pipeline.TargetReport) string {
	var out strings.Builder
	level := "###"
	if s.nested {
		level = "####"
	}
	out.WriteString(level + " " + targetSign(t) + " " + codeOr(targetName(t.Target), "plan") + ": " + outcomeWords(t) + "\n\n")
	words := headline(t)
	if s.req.Mode == pipeline.ModeDestroy && words != "" && !t.Plan.HasChanges() {
		words = "Nothing is left to destroy. The apply only records that the " + partWord([]pipeline.TargetReport{t}) + " has ended."
	}
	if words != "" {
		out.WriteString("**" + words + "**\n\n")
	}
	what, next := explain(s.req.Mode, t)
	if what == planOnly && s.req.Mode == pipeline.ModePlan {
		what = "" // the title says it
	}
	if what != "" {
		out.WriteString(what + "\n\n")
	}
	if next != "" {
		out.WriteString("**Next:** " + next + "\n\n")
	}
	if operator := plainText(t.Operator); operator != "" && s.sink.ofOperator() {
		out.WriteString("**For the operator:** " + operator + "\n\n")
	}
	for _, n := range notices(t) {
		out.WriteString("> " + n + "\n\n")
	}
	if line := provenance(t); line != "" {
		out.WriteString(line + "\n\n")
	}
	return out.String()
}

func headline(t pipeline.TargetReport) string {
	if t.Plan == nil {
		return ""
	}
	words := planWords(*t.Plan, tenseOf(t))
	switch {
	case t.Outcome == pipeline.OutcomeNoChanges, t.Plan.Errored, t.Outcome == pipeline.OutcomeFailed && !applyBegan(t):
		return ""
	case t.Outcome == pipeline.OutcomeApplied:
		return "Applied: " + words
	}
	return "Plan: " + words
}

// notices are the sentences that no one should miss; encoded.
func notices(t pipeline.TargetReport) []string {
	var out []string
	switch t.Reviewed {
	case pipeline.ReviewedDifferent:
		out = append(out, signCare+" **This is not the plan that was reviewed.** It differs from the plan in the pull request."+reviewAnew(t))
	case pipeline.ReviewedOtherKey:
		out = append(out, signCare+" **This plan cannot be compared with the plan that was reviewed.** The plan in the pull request was sealed with a key that has been removed since."+reviewAnew(t))
	case pipeline.ReviewedUnseen:
		out = append(out, signCare+" **This plan has not been reviewed.** The pull request showed no plan for this "+partWord([]pipeline.TargetReport{t})+".")
	}
	if t.PlanOnly != "" {
		out = append(out, signCare+" **Only planned:** "+plainText(t.PlanOnly))
	}
	if t.Plan != nil && !t.Plan.Errored {
		out = append(out, inexact(t)...)
		out = append(out, unexplained(t)...)
	}
	if words := comparisonWords(t); words != "" {
		out = append(out, words)
	}
	if p := t.Plan; p != nil && !p.Complete && !p.Errored && t.Outcome != pipeline.OutcomeFailed {
		out = append(out, signCare+" **The plan is not complete.** The tool deferred some changes. After this plan is applied, run another plan.")
	}
	return out
}

// reviewAnew is advice to an approver, for as long as there is something to approve.
func reviewAnew(t pipeline.TargetReport) string {
	if t.Outcome.Final() {
		return ""
	}
	return " Review it as a new plan before you approve."
}

// provenance is the line of small facts under the headline.
func provenance(t pipeline.TargetReport) string {
	var parts []string
	if t.ReceiptCode != "" {
		parts = append(parts, "Receipt "+code(clip(t.ReceiptCode, 40)))
	}
	if t.Reviewed == pipeline.ReviewedSame {
		parts = append(parts, "same as the plan in the pull request")
	}
	if !t.PlannedAt.IsZero() {
		parts = append(parts, "planned "+moment(t.PlannedAt))
	}
	if !t.Expires.IsZero() && (t.Outcome == pipeline.OutcomeWaiting || t.Outcome == pipeline.OutcomeExpired) {
		parts = append(parts, "valid until "+moment(t.Expires))
	}
	if t.Outcome.Final() && !t.EndedAt.IsZero() && (t.PlannedAt.IsZero() || moment(t.EndedAt) != moment(t.PlannedAt)) {
		parts = append(parts, "ended "+moment(t.EndedAt))
	}
	if t.Plan != nil && t.Plan.Tool != (pipeline.ToolVersion{}) {
		parts = append(parts, code(clip(t.Plan.Tool.String(), 60)))
	}
	if t.Redaction != "" {
		parts = append(parts, "without values ("+code("redaction: "+string(t.Redaction))+")")
	}
	if run := address(t.RunURL); run != "" {
		parts = append(parts, link("run", run))
	}
	return strings.Join(parts, " · ")
}
