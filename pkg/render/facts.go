package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// foldFactsAbove is the length of a list of facts above which it is folded.
const foldFactsAbove = 8

// facts is what else is worth knowing: failed checks, drift, moves, imports,
// forgotten resources, outputs that change, data read late, warnings. Each list
// gets an equal share of the room that the ones before it left.
func (s scribe) facts(d draft, room size) string {
	plan := d.d.plan
	lists := []struct {
		title string
		quiet bool // folded when it is long
		e     entries
	}{
		{signBad + " Failed checks", false, checkEntries(plan.Checks)},
		{signCare + " Changed outside of the service", true, driftEntries(plan.Drift)},
		{invokedTitle(d.t), false, invocations(plan.Invocations, false)},
		{signCare + " Put off by the tool: another plan is needed", true, deferredChanges(plan.Deferred)},
		{signCare + " Actions put off by the tool", true, invocations(plan.Invocations, true)},
		{"Moved", true, s.addresses(d, d.d.moved, func(c *pipeline.ResourceChange) string {
			return code(c.PreviousAddress) + " → " + code(c.Address)
		})},
		{"Imported", true, s.addresses(d, d.d.imported, func(c *pipeline.ResourceChange) string {
			return code(c.Address) + importWords(c)
		})},
		{"Forgotten: they stay as they are, and are no longer managed", true, s.addresses(d, d.d.forgot, resource)},
		{outputsTitle(d.t), true, outputChanges(d)},
		{"Read during the apply", true, s.addresses(d, d.d.reads, readLine)},
		{signCare + " Warnings", true, s.warnings(problemsOf(d.t).warnings)},
	}
	used := 0
	for _, l := range lists {
		if l.e.n > 0 {
			used++
		}
	}
	var out strings.Builder
	for _, l := range lists {
		if l.e.n == 0 {
			continue
		}
		l.e.more = func(shown int) string {
			return fmt.Sprintf("- and %d more that found no room here; %s\n", l.e.n-shown, s.elsewhere(d.t))
		}
		title := fmt.Sprintf("%s (%d)", l.title, l.e.n)
		text := s.list(title, l.e, room.part(1, used))
		if l.quiet && l.e.n > foldFactsAbove {
			text = foldedList(title, l.e, room.part(1, used))
		}
		out.WriteString(text)
		room, used = room.minus(measure(text)), used-1
	}
	return out.String()
}

func foldedList(title string, e entries, room size) string {
	frame := folded(title, "")
	return folded(title, e.fit(room.minus(measure(frame))).join())
}

func (s scribe) addresses(d draft, list []int, line func(*pipeline.ResourceChange) string) entries {
	return entries{n: len(list), short: func(i int) string { return "- " + line(d.d.change(list, i)) + "\n" }}
}

func readLine(c *pipeline.ResourceChange) string {
	if why := whyWords(c.Reason); why != "" {
		return resource(c) + ": " + why
	}
	return resource(c)
}

func checkEntries(all []pipeline.Check) entries {
	var failed []pipeline.Check
	for _, c := range all {
		if c.Status == "fail" || c.Status == "error" {
			failed = append(failed, c)
		}
	}
	return entries{
		n: len(failed),
		full: func(i int) string {
			text := "- " + code(failed[i].Address)
			for k, m := range failed[i].Messages {
				if k == forcingLimit {
					text += fmt.Sprintf("\n  - and %d more", len(failed[i].Messages)-k)
					break
				}
				text += "\n  - " + sentenceOr(m)
			}
			return text + "\n"
		},
		short: func(i int) string { return "- " + code(failed[i].Address) + "\n" },
	}
}

func driftEntries(results []pipeline.ResourceChange) entries {
	line := func(i int) string {
		c := &results[i]
		switch c.Action {
		case pipeline.ActionDelete:
			return "- " + code(c.Address) + " is gone\n"
		case pipeline.ActionCreate:
			return "- " + code(c.Address) + " appeared\n"
		}
		return "- " + code(c.Address) + "\n"
	}
	return entries{
		n:     len(results),
		short: line,
		full: func(i int) string {
			text := line(i)
			for k := range results[i].Attributes {
				if results[i].Action == pipeline.ActionDelete {
					break
				}
				if k == forcingLimit {
					text += fmt.Sprintf("  - and %s more\n", plural(len(results[i].Attributes)-k, "attribute"))
					break
				}
				text += "  - " + transition(&results[i].Attributes[k]) + "\n"
			}
			return text
		},
	}
}

// outputChanges lists the outputs of a plan that is not applied yet; afterwards
// the values themselves are shown.
func outputChanges(d draft) entries {
	all := d.d.plan.Outputs
	if len(d.t.Outputs) > 0 {
		all = nil
	}
	return entries{
		n: len(all),
		full: func(i int) string {
			return "- " + transition(&pipeline.AttributeChange{Path: all[i].Name, Before: all[i].Before, After: all[i].After}) + "\n"
		},
		short: func(i int) string { return "- " + code(all[i].Name) + "\n" },
	}
}
