package report

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// contextLines is how many equal lines are shown around a difference.
const contextLines = 2

// multiline is an attribute of which at least one side has several lines.
func (s scribe) multiline(title string, a *pipeline.AttributeChange, before, after []string) string {
	before, after = sideLines(a.Before, before), sideLines(a.After, after)
	body := &hunk{limit: s.lines, width: s.value}
	sign := "~ "
	switch {
	case a.Before.Absent():
		sign = "+ "
		body.write("+   ", after)
		body.flush("+   ")
	case a.After.Absent():
		sign = "- "
		body.write("-   ", before)
		body.flush("-   ")
	default:
		body.compare(before, after)
	}
	return sign + title + "\n" + body.String()
}

// sideLines are the lines of one side; a value without a layout has one.
func sideLines(v pipeline.Value, lines []string) []string {
	switch {
	case v.Absent():
		return nil
	case lines != nil:
		return lines
	}
	return []string{tidy(marked(v), toEscapes, prettyLimit)}
}

// hunk is lines of a diff, at most limit of them, each at most width characters.
type hunk struct {
	strings.Builder
	limit, width int
	count, lost  int
}

// compare writes what differs between two texts. It takes equal lines away from
// both ends only, which is linear and never misleads.
func (h *hunk) compare(before, after []string) {
	head := 0
	for head < len(before) && head < len(after) && before[head] == after[head] {
		head++
	}
	tail := 0
	for tail < len(before)-head && tail < len(after)-head &&
		before[len(before)-1-tail] == after[len(after)-1-tail] {
		tail++
	}
	start := max(0, head-contextLines)
	if start > 0 {
		h.write("    ", []string{"…"})
	}
	h.write("    ", before[start:head])
	// Both sides get a share of the lines, else a long "before" would hide "after".
	gone, come := before[head:len(before)-tail], after[head:len(after)-tail]
	half := max(1, (h.limit-h.count)/2)
	limit := h.limit
	h.limit = h.count + max(half, limit-h.count-len(come))
	h.write("-   ", gone)
	h.flush("-   ")
	h.limit = limit
	h.write("+   ", come)
	h.flush("+   ")
	end := min(tail, contextLines)
	h.write("    ", before[len(before)-tail:][:end])
	if tail > end {
		h.write("    ", []string{"…"})
	}
	h.lost = 0 // context alone is no loss
}

func (h *hunk) write(mark string, lines []string) {
	for _, line := range lines {
		if h.count >= h.limit {
			h.lost++
			continue
		}
		h.count++
		h.WriteString(mark + clip(line, h.width) + "\n")
	}
}

// flush tells how many lines were left out since the last time.
func (h *hunk) flush(mark string) {
	if h.lost > 0 {
		h.WriteString(fmt.Sprintf("%s… and %s more\n", mark, plural(h.lost, "line")))
	}
	h.lost = 0
}
