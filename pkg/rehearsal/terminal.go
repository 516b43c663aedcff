package rehearsal

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
	pen "github.com/metapipe/metapipe/pkg/text"
)

// terminal prints the story line by line. Its left column says who acts, so that
// two jobs at once stay readable.
type terminal struct {
	mu    sync.Mutex
	w     io.Writer
	color bool
	width int       // columns; 0: lines are not cut
	last  story.Who // whose line came last
	err   error
	// prompting: a question stands open, and lines wait behind it.
	prompting bool
	behind    []string
}

// gutter is the width of the left column.
const gutter = 10

// The few styles in use.
const (
	bold   = pen.Bold
	faint  = pen.Faint
	red    = pen.Red
	green  = pen.Green
	yellow = pen.Yellow
	blue   = pen.Blue
	purple = pen.Purple
)

var actorStyle = map[story.Who]string{story.Customer: blue, story.Manager: purple, story.Inbox: purple, story.Reviewer: yellow, story.GitHub: faint}

var markSign = map[story.Mark]struct{ sign, style string }{
	story.Said: {"·", faint}, story.Done: {"✓", green}, story.Failed: {"✗", red}, story.Waiting: {"…", yellow}, story.Stopped: {"–", yellow},
}

// pen writes as every command does on a terminal.
func (t *terminal) pen() pen.Pen { return pen.Pen{Color: t.color, Width: t.width} }

func (t *terminal) paint(style, text string) string { return t.pen().Paint(style, text) }

// print writes lines at once, so that those of another job do not come between.
// The first failure is kept: a rehearsal goes on without its audience.
func (t *terminal) print(lines ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.prompting {
		t.behind = append(t.behind, lines...)
		return
	}
	t.write(strings.Join(lines, "\n") + "\n")
}

func (t *terminal) write(text string) {
	if t.err == nil && text != "" {
		_, t.err = io.WriteString(t.w, text)
	}
}

// prompt writes a question and leaves the cursor behind it. Until answered, other
// lines wait.
func (t *terminal) prompt(question string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.write(question)
	t.prompting = true
}

// answered goes on behind a question. The line still has to be ended when no one
// has pressed the key that does.
func (t *terminal) answered(endLine bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.prompting = false
	if endLine {
		t.write("\n")
	}
	for _, line := range t.behind {
		t.write(line + "\n")
	}
	t.behind = nil
}

func (t *terminal) chapter(title, lead string) {
	lines := []string{"", t.paint(bold, printable(title))}
	for _, l := range wrap(printable(lead), t.columns()) {
		lines = append(lines, t.paint(faint, l))
	}
	t.print(append(lines, "")...)
}

// columns is the width for running text.
func (t *terminal) columns() int { return t.pen().Columns() }

// act prints who did what, with a sign before it and the answer behind.
func (t *terminal) act(who story.Who, sign, title, detail, answer string) {
	line := t.paint(actorStyle[who], fmt.Sprintf("%-*s", gutter, who)) + sign + " " + printable(title)
	if answer != "" {
		line += "  " + answer
	}
	if detail != "" {
		room := t.room(utf8.RuneCountInString(title) + utf8.RuneCountInString(answer) + 6)
		line += "  " + t.paint(faint, cut(printable(detail), room))
	}
	t.mu.Lock()
	t.last = who
	t.mu.Unlock()
	t.print(line)
}

// log prints a line that a tool wrote. It names the actor when another one has
// printed in between.
func (t *terminal) log(who story.Who, style, text string) {
	t.mu.Lock()
	name := who
	if t.last == who {
		name = ""
	}
	t.last = who
	t.mu.Unlock()
	t.print(t.paint(actorStyle[who], fmt.Sprintf("%-*s│ ", gutter, name)) + t.paint(style, cut(printable(text), t.room(2))))
}

// room is what is left of a line beside the gutter and used columns.
func (t *terminal) room(used int) int {
	if t.width <= 0 {
		return 0
	}
	return max(12, t.width-gutter-used)
}

func (t *terminal) sign(m story.Mark) string {
	s := markSign[m]
	return t.paint(s.style, s.sign)
}

// cut shortens text to n columns; 0 leaves it.
func cut(text string, n int) string {
	if n <= 0 {
		return text
	}
	return pipeline.Clip(text, n)
}

func wrap(text string, n int) []string { return pen.Wrap(text, n) }

// escapes are terminal control sequences: CSI, OSC, and two-character ones.
var escapes = pen.Pattern("\x1b(?:\\[[0-9;?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|[ -/]*[0-Z\\\\^-~])")

// printable removes what would move the cursor or change the colors, as a log
// may hold anything. Tabs become blanks.
func printable(s string) string {
	s = strings.ToValidUTF8(escapes().ReplaceAllString(s, ""), "�")
	var sight pen.Sight
	return strings.Map(func(r rune) rune {
		hidden := sight.Hidden(r)
		switch {
		case r == '\t' || r == '\n':
			return ' '
		case hidden && r != '\ufe0f' && !unicode.Is(unicode.Zs, r):
			return -1
		}
		return r
	}, s)
}
