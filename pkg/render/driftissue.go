package render

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/drift"
	"github.com/metapipe/metapipe/pkg/pipeline/intake"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// Issue returns the text of the issue that shows a customer what differs at one
// target, as GitHub Markdown and without a marker. r.Kinds are those that the
// customer learns of. Equal results give equal texts, whenever they were found:
// an unchanged difference needs no edit.
func (r Renderer) Issue(result drift.Result) string {
	s := r.comment(pipeline.Request{}, issueSink)
	top, bottom := issueTop(result), issueSteps(result)
	room := s.room.minus(measure(top)).minus(measure(bottom))
	return top + s.differences(result, room) + bottom
}

// IssueClosing returns the comment that ends an issue.
func (r Renderer) IssueClosing(result drift.Result) string {
	text := signGood + " " + code(targetName(result.Target)) + " matches the configuration again (checked " + moment(result.CheckedAt) + "). "
	if result.Plan != nil {
		text = signGood + " You have nothing left to do for " + code(targetName(result.Target)) + " (checked " + moment(result.CheckedAt) +
			"). The service provider handles the remaining differences. "
	}
	if result.Ended {
		return signStopped + " " + plainText(result.Skipped) + ". It is not checked any more.\n"
	}
	if why := cmp.Or(result.Skipped, result.Message); why != "" {
		return signWaiting + " " + code(targetName(result.Target)) + " is not checked any more: " + plainText(why) + ". Nothing was changed or destroyed.\n"
	}
	if result.Applied != nil {
		text += "Applied last: " + lastApplied(*result.Applied) + ". "
	}
	return text + "This issue is opened again when something differs.\n"
}

func issueTop(r drift.Result) string {
	var out strings.Builder
	out.WriteString("The infrastructure of " + code(string(r.Customer)) + " in " + code(targetName(r.Target)) + " is not what its configuration asks for:\n\n")
	for _, kind := range r.Kinds {
		out.WriteString("- " + kindWords(kind) + "\n")
	}
	out.WriteString("\n| | |\n|---|---|\n")
	row := func(name, text string) { fmt.Fprintf(&out, "| %s | %s |\n", name, cell(text)) }
	if !r.FirstSeen.IsZero() {
		row("Seen first", moment(r.FirstSeen))
	}
	if r.Applied != nil {
		row("Applied last", lastApplied(*r.Applied))
	} else {
		row("Applied last", "nothing, as far as is known")
	}
	if r.File != "" {
		row("Configuration", code(r.File)+branchWords(r))
	}
	return out.String() + "\n"
}

func kindWords(kind pipeline.DriftKind) string {
	switch kind {
	case pipeline.DriftReal:
		return "**Changed outside of the service**: something was changed or deleted by hand or with another tool."
	case pipeline.DriftPending:
		return "**Merged and never applied**: the configuration asks for something that was not built yet."
	case pipeline.DriftManager:
		return "**The service has changed**: the service provider's code is newer than the last apply."
	case pipeline.DriftAbandoned:
		return "**Switched off**: a custom property of the repository does not enable it any more. What was built stays."
	case pipeline.DriftLost:
		return "**Not known**: the service provider restores the record of what was built. You have nothing to do."
	case pipeline.DriftError:
		return "**Not known**: the check did not succeed."
	}
	return code(string(kind))
}

func lastApplied(a record.DriftLastApply) string {
	text := moment(a.At)
	if a.Actor != "" {
		text += " by " + code(clip(a.Actor, 60))
	}
	if a.Commit != "" {
		text += ", commit " + code(a.Commit.Short())
	}
	if run := address(a.RunURL); run != "" {
		text += " (" + link("run", run) + ")"
	}
	return text
}

func branchWords(r drift.Result) string {
	if r.Branch == "" {
		return ", default branch"
	}
	return " on branch " + code(clip(r.Branch, 100))
}

// longerTitles is by how much, at most, the titles of an issue are longer than those
// of a plan.
const longerTitles = 40

// differences is what was found, within room.
func (s scribe) differences(r drift.Result, room size) string {
	if r.Plan == nil {
		return ""
	}
	t := pipeline.TargetReport{Target: r.Target, Plan: r.Plan}
	d := draft{t: t, d: digestOf(t)}
	more := func(n int) func(int) string {
		return func(shown int) string {
			return fmt.Sprintf("- and %d more that found no room here; %s\n", n-shown, s.elsewhere(t))
		}
	}
	room = room.minus(size{longerTitles, longerTitles})
	var out strings.Builder
	part := func(title string, e entries, most size) {
		if e.n == 0 {
			return
		}
		e.more = more(e.n)
		text := s.list(fmt.Sprintf("%s (%d)", title, e.n), e, most)
		out.WriteString(text)
		room = room.minus(measure(text))
	}
	part("Changed outside of the service", driftEntries(r.Plan.Drift), room.part(1, 2))
	if danger := s.dangers([]draft{d}, room.part(1, 2)); danger != "" {
		danger = strings.Replace(danger, "Destroys and replaces", "An apply would destroy or replace", 1)
		out.WriteString(danger)
		room = room.minus(measure(danger))
	}
	part("Actions that an apply would invoke", invocations(r.Plan.Invocations, false), room.part(1, 4))
	part("Outputs that an apply would change", outputChanges(d), room.part(1, 4))
	if changes := s.changes(d, room); changes != "" {
		out.WriteString(strings.Replace(changes, "All changes", "What an apply would do", 1))
	}
	return out.String()
}

// issueSteps are the ways out, each with what exactly is to be done.
func issueSteps(r drift.Result) string {
	file := r.File
	if file == "" {
		file = pipeline.VariablesFile
	}
	ref := ""
	if r.Branch != "" && !strings.ContainsAny(r.Branch, " \t\n'\"\\$`;&|<>()*?[]{}!#~") {
		ref = " --ref " + r.Branch
	}
	until := r.FirstSeen
	if until.IsZero() {
		until = r.CheckedAt
	}
	workflow := intake.TriggerWorkflow[strings.LastIndexByte(intake.TriggerWorkflow, '/')+1:]
	return "#### What to do\n\n" +
		"Either, **to keep what is there now**:\n\n" +
		"1. Change " + code(file) + " to match what exists now, in a pull request" + branchTo(r) + ". If the file has no key for the setting, ask the service provider.\n" +
		"2. Check the plan in the comment of the pull request. It must no longer change what you want to keep.\n" +
		"3. Merge it.\n\n" +
		"Or, **to restore what the configuration describes**:\n\n" +
		"1. Start the workflow " + code(workflow) + " by hand with the mode " + code("apply") + " (Actions → Run workflow), or run " +
		code("gh workflow run "+workflow+ref+" -f mode=apply") + ".\n" +
		"2. The run makes a new plan, waits for approval if the environment requires it, and applies the plan.\n\n" +
		"<details><summary>About this issue</summary>\n\n" +
		"metapipe updates this issue when the differences change, and closes it when there are none. To pause it through a date, add a label such as " +
		code(drift.SnoozeLabel(until.AddDate(0, 0, 30))) + ". If you close it, it stays closed until something else differs.\n" +
		"\n</details>\n"
}

func branchTo(r drift.Result) string {
	if r.Branch == "" {
		return ""
	}
	return " to " + code(clip(r.Branch, 100))
}
