package render

import "github.com/metapipe/metapipe/pkg/pipeline"

func codeOr(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	return code(s)
}

func tenseOf(t pipeline.TargetReport) tense {
	if t.Outcome == pipeline.OutcomeApplied {
		return past
	}
	return future
}

const forcingLimit = 5 // attributes named for one replacement

// title is a heading below that of a target.
func (s scribe) heading(title string) string {
	if s.nested {
		return "##### " + title + "\n\n"
	}
	return "#### " + title + "\n\n"
}

// list writes a heading and what of e fits.
func (s scribe) list(title string, e entries, room size) string {
	if e.n == 0 {
		return ""
	}
	head := s.heading(title)
	return head + e.fit(room.minus(measure(head+"\n"))).join() + "\n"
}

// resource is the address of c in a code span, with the deposed object's key.
func resource(c *pipeline.ResourceChange) string {
	if c.Deposed == "" {
		return code(c.Address)
	}
	return code(c.Address) + " (an earlier object that was left behind, " + code(c.Deposed) + ")"
}

// transition is one attribute with its values before and after, on one line.
func transition(a *pipeline.AttributeChange) string {
	before, after := oneLine(a.Before, a.After, inlineLimit)
	return code(a.Path) + ": " + valueSpan(a.Before, before) + " → " + valueSpan(a.After, after)
}

// valueSpan puts a value into a code span, and leaves our own words plain.
func valueSpan(v pipeline.Value, text string) string {
	if v.Sensitive || v.Unknown || v.Text == "" {
		return text
	}
	return codeSpan(text)
}

func lineOnly(p pipeline.Position) string {
	p.Column = 0
	return p.String()
}

// sentenceOr is prose that is never empty.
func sentenceOr(s string) string {
	if text := plainText(s); text != "" {
		return text
	}
	return "(no message)"
}
