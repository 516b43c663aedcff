package render

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
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

// compare writes what differs between two texts, by the longest common
// subsequence of their lines, with a little context around each difference.
func (h *hunk) compare(before, after []string) {
	edits := editsOf(before, after)
	changed := 0
	for _, e := range edits {
		changed += len(e.gone) + len(e.come)
	}
	from := 0 // the first equal line of before that is not written yet
	for i, e := range edits {
		if i > 0 && h.count >= h.limit {
			h.lost = changed
			h.flush("    ")
			return
		}
		h.context(before[from:e.at], i > 0, true)
		h.edit(e, changed)
		changed -= len(e.gone) + len(e.come)
		from = e.at + len(e.gone)
	}
	if len(edits) > 0 {
		h.context(before[from:], true, false)
	}
	h.lost = 0 // context alone is no loss
}

// edit writes one difference. Both of its sides get a share of the lines, else a
// long "before" would hide "after"; and what comes later gets its share, too.
func (h *hunk) edit(e edit, left int) {
	limit := h.limit
	room := max(0, limit-h.count)
	if own := len(e.gone) + len(e.come); left > own && room < left {
		room = max(2, room*own/left)
	}
	gone := max(room/2, room-len(e.come))
	h.limit = min(limit, h.count+max(1, gone))
	h.write("-   ", e.gone)
	h.flush("-   ")
	h.limit = max(h.limit, min(limit, h.count+max(1, room-min(gone, len(e.gone)))))
	h.write("+   ", e.come)
	h.flush("+   ")
	h.limit = limit
}

// context writes the equal lines that stand next to a difference, and a mark for
// those between.
func (h *hunk) context(lines []string, below, above bool) {
	head, tail := 0, 0
	if below {
		head = contextLines
	}
	if above {
		tail = contextLines
	}
	lost := h.lost
	if len(lines) <= head+tail {
		h.write("    ", lines)
	} else {
		h.write("    ", lines[:head])
		h.write("    ", []string{"…"})
		h.write("    ", lines[len(lines)-tail:])
	}
	h.lost = lost
}

// edit is lines that went from a text at one place, and those that came instead.
type edit struct {
	at         int // in the text before
	gone, come []string
}

// editsOf lists what differs between two texts, in their order.
func editsOf(before, after []string) []edit {
	var edits []edit
	from := text.Pair{}
	for _, same := range append(text.Align(before, after), text.Pair{A: len(before), B: len(after)}) {
		if same.A > from.A || same.B > from.B {
			edits = append(edits, edit{from.A, before[from.A:same.A], after[from.B:same.B]})
		}
		from = text.Pair{A: same.A + 1, B: same.B + 1}
	}
	return edits
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

// flush reports how many lines were left out since the last time.
func (h *hunk) flush(mark string) {
	if h.lost > 0 {
		h.WriteString(fmt.Sprintf("%s… and %s more\n", mark, plural(h.lost, "line")))
	}
	h.lost = 0
}
