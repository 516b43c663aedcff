package render

import (
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const (
	labelRoom = 40              // characters of the name of an environment or a stack
	nameRoom  = 2*labelRoom + 1 // characters of the name of a target
)

// isStack reports whether the name of a target names a stack.
func isStack(name string) bool { return strings.Contains(name, "/") }

// targetName is how the customer knows a target: "staging", or "staging/network". It is
// of bounded length, and not encoded.
func targetName(t pipeline.Target) string {
	t.Environment = pipeline.Environment(clip(string(t.Environment), labelRoom))
	t.Stack = pipeline.StackName(clip(string(t.Stack), labelRoom))
	return t.Name()
}

// stacked reports whether one of the targets is a stack with a name.
func stacked(targets []pipeline.TargetReport) bool {
	return slices.ContainsFunc(targets, func(t pipeline.TargetReport) bool { return t.Stack != "" })
}

// nameColumn is the head of the column with the names of targets.
func nameColumn(stacks bool) string {
	if stacks {
		return "Environment / stack"
	}
	return "Environment"
}

// partWord is what one target is for the reader of a report.
func partWord(targets []pipeline.TargetReport) string {
	if stacked(targets) {
		return "stack"
	}
	return "environment"
}

// environmentHead begins the section of an environment whose stacks have names, before the
// first of them; it is empty for every other target.
func (s scribe) environmentHead(targets []pipeline.TargetReport, i int) string {
	t := targets[i]
	same := func(o pipeline.TargetReport) bool { return o.Environment == t.Environment && o.Stack != "" }
	if !s.nests(t) || i > 0 && same(targets[i-1]) {
		return ""
	}
	end := i + 1
	for end < len(targets) && same(targets[end]) {
		end++
	}
	return "### " + overallSign(pipeline.Report{Targets: targets[i:end]}) + " " + code(clip(string(t.Environment), labelRoom)) + "\n\n"
}

// nests reports whether the section of a target stands within that of its environment.
func (s scribe) nests(t pipeline.TargetReport) bool { return t.Stack != "" && s.sink != laptopSink }

// within writes what stands below the head of a target.
func (s scribe) within(t pipeline.TargetReport) scribe {
	s.nested = s.nests(t)
	return s
}
