package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const (
	sectionChars = 2500 // the most that the head of one section may take
	removedNames = 20
)

// compose writes the whole text. Should hostile texts swell beyond what is
// foreseen, it does with fewer sections until the text fits; the frame alone
// always does.
func (s scribe) compose(rep pipeline.Report) string {
	most := min(s.room.chars, s.room.bytes) / sectionChars
	for n := min(most, len(rep.Targets)); ; n /= 2 {
		text := s.frame(rep, n)
		if n == 0 || measure(text).within(s.room) {
			return text
		}
	}
}

// frame writes what stands around the sections of the first n targets.
func (s scribe) frame(rep pipeline.Report, n int) string {
	top := s.title(rep) + removed(rep.Request) + s.overview(rep) + receiptWords(rep)
	bottom := unreported(s.sink, rep.Unreported) + footer(rep)
	if hidden := len(rep.Targets) - n; hidden > 0 {
		bottom = fmt.Sprintf("%s The details of %s found no room here; %s.\n\n",
			signCare, plural(hidden, partWord(rep.Targets)), s.elsewhere(rep.Targets[n])) + bottom
	}
	room := s.room.minus(measure(top)).minus(measure(bottom))
	problems := s.problems(rep.Request, room.part(1, 2))
	room = room.minus(measure(problems))
	dangers, sections := s.sections(rep.Targets, n, room)
	return top + dangers + problems + sections + bottom
}

// receiptWords says once what the receipt code is for, where a plan waits for an
// approval or is about to be applied. There is nothing to approve in a request that
// was rejected or only plans, nor in a plan that ended.
func receiptWords(rep pipeline.Report) string {
	if rep.Request.Rejected() || rep.Request.Mode == pipeline.ModePlan {
		return ""
	}
	for _, t := range rep.Targets {
		if t.ReceiptCode != "" && !t.Outcome.Final() {
			return "The receipt code identifies one plan. Before you approve a run, compare this code with the code in that run's plan job summary.\n\n"
		}
	}
	return ""
}

func (s scribe) title(rep pipeline.Report) string {
	req := rep.Request
	parts := []string{"Request " + codeOr(req.ID.Short(), "without id")}
	if req.Commit != "" {
		parts = append(parts, "commit "+code(req.Commit.Short()))
	}
	if req.Branch != "" {
		parts = append(parts, "branch "+code(clip(req.Branch, 100)))
	}
	if req.Actor != "" {
		parts = append(parts, "by "+code(clip(req.Actor, 60)))
	}
	switch req.Mode {
	case "", pipeline.ModeApply:
	case pipeline.ModeDestroy:
		parts = append(parts, "asked for by your service provider")
	case pipeline.ModePlan:
		parts = append(parts, "a plan only: nothing is changed")
	default:
		parts = append(parts, "mode "+code(clip(string(req.Mode), 20)))
	}
	if run := address(req.ManagerRun.URL); run != "" {
		parts = append(parts, link("run", run))
	}
	return "## " + overallSign(rep) + " Infrastructure of " + codeOr(clip(string(req.Customer), 63), "this repository") + "\n\n" +
		destroyWords(rep) + plainText(status(rep, pipeline.Target{})) + "\n\n" + strings.Join(parts, " · ") + "\n\n" + choiceWords(req) + propertyWords(req)
}

// destroyWords says before all else that a request destroys.
func destroyWords(rep pipeline.Report) string {
	if rep.Request.Mode != pipeline.ModeDestroy {
		return ""
	}
	var names []string
	for _, t := range rep.Request.Targets {
		names = append(names, code(clip(string(rep.Request.Customer), 63)+"/"+targetName(t.Target)))
	}
	return "**" + signDestroy + " DESTROY: this request destroys everything that was deployed to " + strings.Join(names, ", ") + ".** It uses the variables that were applied last.\n\n"
}

// overview is the table of all targets; one alone needs none.
func (s scribe) overview(rep pipeline.Report) string {
	if len(rep.Targets) < 2 {
		return ""
	}
	head := "| " + nameColumn(stacked(rep.Targets)) + " | Outcome | Changes | Receipt |\n| --- | --- | --- | --- |\n"
	rows := entries{
		n:     len(rep.Targets),
		short: func(i int) string { return overviewRow(rep.Targets[i]) },
		more: func(shown int) string {
			return fmt.Sprintf("| … and %d more | | | |\n", len(rep.Targets)-shown)
		},
	}
	return head + rows.fit(s.room.part(1, 3)).join() + "\n"
}

func overviewRow(t pipeline.TargetReport) string {
	receipt := ""
	if t.ReceiptCode != "" {
		receipt = code(clip(t.ReceiptCode, 20))
	}
	return fmt.Sprintf("| %s | %s %s | %s | %s |\n", cell(code(targetName(t.Target))),
		targetSign(t), cell(outcomeWords(t)), changesCell(t), cell(receipt))
}

// changesCell lists the counts of a target, the dangerous ones in bold.
func changesCell(t pipeline.TargetReport) string {
	if headline(t) == "" {
		return ""
	}
	when, kind := tenseOf(t), ""
	if kind = planKind(*t.Plan); kind != "" {
		kind = " (" + kind + ")"
	}
	words := countWords(t.Plan.Counts, when)
	if len(words) == 0 {
		return planWords(*t.Plan, when) + kind
	}
	for i, w := range words {
		if dangerWords(w) {
			words[i] = "**" + w + "**"
		}
	}
	return strings.Join(words, ", ") + kind
}

// removed says what happens to environments that are gone from variables.yml, and to stacks
// that the customer does not have any more.
func removed(req pipeline.Request) string {
	return gone(req.Removed, "no longer in the variables", func(env pipeline.Environment) string { return string(env) }) +
		gone(req.RemovedStacks, "no longer among the stacks of this customer", pipeline.Target.Name) +
		gone(req.Disabled, "not enabled by the property "+code(clip(req.Properties.Disabler(), 80)), pipeline.Target.Name)
}

func gone[T any](all []T, where string, name func(T) string) string {
	if len(all) == 0 {
		return ""
	}
	var names []string
	for i, one := range all {
		if i == removedNames {
			names = append(names, fmt.Sprintf("%d more", len(all)-i))
			break
		}
		names = append(names, code(clip(name(one), 40)))
	}
	verb, them := "is", "it"
	if len(all) > 1 {
		verb, them = "are", "them"
	}
	return fmt.Sprintf("%s %s %s %s. **Nothing is destroyed**: what was deployed there keeps running, and this repository no longer changes it. "+
		"Your service provider ends %s with a planned destroy when you ask for it.\n\n",
		signCare, strings.Join(names, ", "), verb, where, them)
}

func footer(rep pipeline.Report) string {
	var parts []string
	if rep.Manager != (pipeline.Slug{}) {
		manager := "Manager " + code(clip(rep.Manager.String(), 140))
		if rep.Request.ManagerCommit != "" {
			manager += " at " + code(rep.Request.ManagerCommit.Short())
		}
		parts = append(parts, manager)
	}
	if rep.Request.File != "" {
		parts = append(parts, "variables "+code(clip(rep.Request.File, 200)))
	}
	if len(parts) == 0 {
		return ""
	}
	return "---\n\n" + strings.Join(parts, " · ") + "\n"
}
