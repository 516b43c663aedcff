package render

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func invokedTitle(t pipeline.TargetReport) string {
	switch {
	case tenseOf(t) == past:
		return "Invoked by the apply"
	case t.Outcome.Final() && !t.Outcome.Succeeded():
		return signCare + " The plan was to invoke"
	}
	return signCare + " Invoked by this plan"
}

func outputsTitle(t pipeline.TargetReport) string {
	if tenseOf(t) == past {
		return "Outputs that changed"
	}
	return "Outputs that change"
}

// invocations lists the actions that the apply invokes, or those that were put off,
// with their arguments.
func invocations(all []pipeline.Invocation, deferred bool) entries {
	var list []pipeline.Invocation
	for _, v := range all {
		if (v.Deferred != "") == deferred {
			list = append(list, v)
		}
	}
	line := func(v pipeline.Invocation) string {
		text := "- " + code(v.Address)
		switch moment := v.Moment(); {
		case v.Resource != "" && moment != "":
			text += " " + plainText(moment) + " of " + code(v.Resource)
		case v.Resource != "":
			text += " triggered by " + code(v.Resource)
		}
		if v.OnFailure != "" {
			text += ", on failure: " + code(v.OnFailure)
		}
		if v.Deferred != "" {
			text += ": " + deferredWords(v.Deferred)
		}
		return text + "\n"
	}
	return entries{
		n:     len(list),
		short: func(i int) string { return line(list[i]) },
		full: func(i int) string {
			var out strings.Builder
			out.WriteString(line(list[i]))
			for k := range list[i].Arguments {
				a := &list[i].Arguments[k]
				text, _ := oneLine(a.After, a.After, inlineLimit)
				out.WriteString("  - " + code(a.Path) + " = " + valueSpan(a.After, text) + "\n")
			}
			return out.String()
		},
	}
}

// deferredChanges lists what the tool will only do with another plan.
func deferredChanges(all []pipeline.ResourceChange) entries {
	return entries{n: len(all), short: func(i int) string {
		c := &all[i]
		return "- " + actionSign(c.Action) + verb(c.Action) + " " + resource(c) + ": " + deferredWords(c.Deferred) + "\n"
	}}
}

// deferredWords explains why something was put off. The keys are those of the
// plan format; others are shown as they are.
func deferredWords(reason string) string {
	switch reason {
	case "instance_count_unknown":
		return "how many there are is known only after another apply"
	case "resource_config_unknown":
		return "its arguments are known only after another apply"
	case "provider_config_unknown":
		return "the settings of its provider are known only after another apply"
	case "absent_prereq":
		return "something that it needs does not exist yet"
	case "deferred_prereq":
		return "it depends on a resource that was deferred"
	case "", "unknown":
		return "the tool does not say why"
	}
	return code(reason)
}

// importWords says what an imported resource is known by.
func importWords(c *pipeline.ResourceChange) string {
	switch {
	case c.ImportID != "":
		return " from id " + code(c.ImportID)
	case c.ImportIdentity != "":
		return " from identity " + code(c.ImportIdentity)
	}
	return ""
}

// unexplained are the sentences about what this version cannot read in a plan.
func unexplained(t pipeline.TargetReport) []string {
	p, advice := *t.Plan, " Ask the service provider before you approve."
	if t.Outcome == pipeline.OutcomeApplied {
		advice = " Ask the service provider what the apply did."
	}
	var names []string
	for i, name := range p.Unknown {
		if i == forcingLimit {
			names = append(names, plural(len(p.Unknown)-i, "more name"))
			break
		}
		names = append(names, code(name))
	}
	switch {
	case len(names) > 0 && t.Outcome == pipeline.OutcomeNoChanges:
		return []string{signCare + " **This version of metapipe cannot read all of this plan:** it does not know " + strings.Join(names, ", ") +
			". The tool says that there is nothing to apply, so nothing is applied. Ask the service provider what it means."}
	case len(names) > 0:
		return []string{signCare + " **This version of metapipe cannot read all of this plan:** it does not know " + strings.Join(names, ", ") +
			". The apply may do more than what is listed here." + advice}
	case p.Unexplained:
		return []string{signCare + " **The tool has something to apply that this version of metapipe cannot show.**" + advice}
	}
	return nil
}
