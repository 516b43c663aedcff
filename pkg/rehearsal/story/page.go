package story

import (
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/metapipe/metapipe/pkg/text"
)

//go:embed page.css
var style string

// RunAnchor is the anchor of a workflow run: links to the run lead to the event
// that carries it.
func RunAnchor(id int64) string { return "run-" + strconv.FormatInt(id, 10) }

// Page writes the story as one HTML page without scripts or other files. All
// text in it counts as hostile: it is escaped, and Markdown is sanitized.
func Page(w io.Writer, s Story) error {
	p := page{Story: s}
	p.whole()
	if p.err != nil {
		return fmt.Errorf("story page: %w", p.err)
	}
	if _, err := io.WriteString(w, visible(p.out.String())); err != nil {
		return fmt.Errorf("story page: %w", err)
	}
	return nil
}

// emojiStyle makes an emoji of the sign before it, as in those of the reports.
const emojiStyle = '\ufe0f'

// visible writes out what a browser hides or obeys: controls, and characters
// that turn the direction of text, so that a line reads otherwise than it runs.
// The page's own text has none, and the escapes mean nothing in HTML.
func visible(page string) string {
	var out strings.Builder
	out.Grow(len(page))
	var sight text.Sight
	for _, r := range page { // invalid UTF-8 becomes U+FFFD
		if hidden := sight.Hidden(r); hidden && r != '\n' && r != '\t' && r != emojiStyle && !unicode.Is(unicode.Zs, r) {
			out.WriteString(text.EscapeRune(r))
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

var runPath = text.Pattern(`^/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+/actions/runs/([0-9]{1,19})(?:/[A-Za-z0-9/._-]*)?"`)

// anchorRuns turns links to runs of the in-process GitHub, which is gone when
// the page is read, into links within the page.
func (p *page) anchorRuns(html string) string {
	if p.BaseURL == "" {
		return html
	}
	const href = `href="`
	var b strings.Builder
	for {
		before, after, found := strings.Cut(html, href+p.BaseURL)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		m := runPath().FindStringSubmatch(after)
		if m == nil {
			b.WriteString(href + p.BaseURL)
			html = after
			continue
		}
		b.WriteString(href + "#run-" + m[1] + `"`)
		html = after[len(m[0]):]
	}
}

// Took prints a duration with two or three digits: 340 ms, 2.4 s, 1 m 05 s.
func Took(d time.Duration) string {
	switch {
	case d < time.Millisecond:
		return ""
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	return fmt.Sprintf("%d m %02d s", int(d.Minutes()), int(d.Seconds())%60)
}

// diffLine names the style of one line of a diff.
func diffLine(line string) string {
	switch {
	case strings.HasPrefix(line, "+"):
		return "add"
	case strings.HasPrefix(line, "-"):
		return "del"
	case strings.HasPrefix(line, "@@"):
		return "hunk"
	}
	return "same"
}

// stateCount is how many statuses have a state.
type stateCount struct {
	State string
	Count int
}

// states counts the rows of statuses by their state, in the order of the rows.
func states(rows [][]string) []stateCount {
	var counts []stateCount
	for _, row := range rows {
		i := slices.IndexFunc(counts, func(c stateCount) bool { return c.State == row[0] })
		if i < 0 {
			i = len(counts)
			counts = append(counts, stateCount{State: row[0]})
		}
		counts[i].Count++
	}
	return counts
}

func total(calls []Calls) Calls {
	sum := Calls{Step: "total"}
	for _, c := range calls {
		sum.Reads += c.Reads
		sum.Writes += c.Writes
	}
	return sum
}
