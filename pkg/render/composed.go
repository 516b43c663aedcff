package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// maxComposedIndent bounds how deep a list is nested; what is deeper stands at that depth.
const maxComposedIndent = 8

// composed is the tree of what controllers have made of the objects of the stack or, before an apply, of what they
// are predicted to make. It is always folded: what is approved and applied are its roots alone.
func (s scribe) composed(d draft, room size) string {
	tree, title, lead := d.t.Composed, "Composed resources", ""
	if len(tree.Objects) == 0 {
		if tenseOf(d.t) == past || d.t.Outcome == pipeline.OutcomeFailed {
			return "" // what was predicted says nothing of what there is
		}
		tree, title = d.d.plan.Composed, "Predicted: what would be composed"
		lead = "This tree is predicted and not exact. The plan is exact for the first object of each tree, and only that is applied. " +
			"Crossplane composes the others by itself, later, and may compose something else.\n\n"
	}
	all := tree.Objects
	if len(all) == 0 {
		return ""
	}
	title += fmt.Sprintf(" (%s%s)", plural(len(all), "object"), behindWords(tree))
	if behindWords(tree) != "" {
		title = signCare + " " + title
	}
	depths := depthsOf(all)
	e := entries{
		n:     len(all),
		full:  func(i int) string { return s.composedLine(all[i], depths[i], true) },
		short: func(i int) string { return s.composedLine(all[i], depths[i], false) },
		more: func(shown int) string {
			return fmt.Sprintf("- and %s more; %s\n", plural(len(all)-shown, "object"), s.elsewhere(d.t))
		},
	}
	tail := ""
	if tree.Cut {
		tail = "- and more that were not looked at: the tree is too large\n"
	}
	frame := folded(title, lead+tail)
	return folded(title, lead+e.fit(room.minus(measure(frame))).join()+tail)
}

// behindWords counts what is not as it should be.
func behindWords(tree pipeline.Composition) string {
	var words []string
	for _, one := range []struct {
		state pipeline.ComposedState
		word  string
	}{{pipeline.ComposedNotReady, "not ready"}, {pipeline.ComposedMissing, "missing"}, {pipeline.ComposedUnknown, "unknown"}} {
		n := 0
		for _, o := range tree.Objects {
			if o.State == one.state {
				n++
			}
		}
		if n > 0 {
			words = append(words, fmt.Sprintf("%d %s", n, one.word))
		}
	}
	if len(words) == 0 {
		return ""
	}
	return ", " + strings.Join(words, ", ")
}

// depthsOf are the depths at which a list can show the objects: none is more than one deeper than what stands before
// it, or Markdown would read it as something else.
func depthsOf(all []pipeline.ComposedObject) []int {
	depths := make([]int, len(all))
	most := 0
	for i, o := range all {
		depths[i] = max(0, min(o.Depth, most, maxComposedIndent))
		most = depths[i] + 1
	}
	return depths
}

func (s scribe) composedLine(o pipeline.ComposedObject, depth int, full bool) string {
	var line strings.Builder
	line.WriteString(strings.Repeat("  ", depth) + "- ")
	if mark := composedSign(o.State); mark != "" {
		line.WriteString(mark + " ")
	}
	line.WriteString(codeOr(o.Address, "an object without a name"))
	if o.Resource != "" {
		line.WriteString(" (" + code(o.Resource) + ")")
	}
	detail := ""
	if full {
		detail = plainText(clip(o.Detail, s.value))
	}
	switch {
	case o.State == pipeline.ComposedMissing:
		line.WriteString(": it is not there")
	case detail != "":
		line.WriteString(": " + detail)
	case o.State == pipeline.ComposedNotReady:
		line.WriteString(": not ready")
	case o.State == pipeline.ComposedUnknown, o.State != "" && !o.State.Known():
		line.WriteString(": its state is not known")
	}
	return line.String() + "\n"
}

func composedSign(state pipeline.ComposedState) string {
	switch state {
	case "":
		return ""
	case pipeline.ComposedReady:
		return signGood
	case pipeline.ComposedNotReady:
		return signWaiting
	}
	return signCare
}
