package rehearsal

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/runner"
	"github.com/metapipe/metapipe/pkg/rehearsal/story"
	"github.com/metapipe/metapipe/pkg/text"
)

// narrator prints the rehearsal to the terminal as it happens, and writes it down.
type narrator struct {
	show *terminal
	now  func() time.Time

	mu       sync.Mutex
	chapters []*chapter
	notes    []string
}

type chapter struct {
	title, lead string
	mark        story.Mark
	events      []*event
}

// chapter begins the next part of the story.
func (n *narrator) chapter(title, lead string) {
	n.mu.Lock()
	n.chapters = append(n.chapters, &chapter{title: title, lead: lead})
	n.mu.Unlock()
	n.show.chapter(title, lead)
}

// close marks how the present chapter ended.
func (n *narrator) close(mark story.Mark) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.chapters) > 0 {
		n.chapters[len(n.chapters)-1].mark = mark
	}
}

// note prints something about the whole rehearsal.
func (n *narrator) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	n.mu.Lock()
	n.notes = append(n.notes, text)
	n.mu.Unlock()
	for i, line := range wrap(printable(text), n.show.columns()-2) {
		n.show.print([]string{"· ", "  "}[min(i, 1)] + n.show.paint(faint, line))
	}
}

// event is one act of the story. Between begin and end it may take log lines.
type event struct {
	n       *narrator
	who     story.Who
	title   string
	detail  string // the command, for the terminal
	began   time.Time
	ended   time.Time
	mark    story.Mark
	answer  string
	anchor  string
	quiet   bool // it only passes on what others did
	parts   []story.Part
	text    strings.Builder // the log, masked
	inGroup bool
	held    []string // lines of the open or last group
	heading string   // its title
	// announced: the terminal has shown that it began.
	announced bool
	printed   int       // the tool's lines that the terminal has shown
	unprinted []waiting // lines that it has not, in their order
	own       bool      // the last line was metapipe's own
	message   string    // that line, with the indented ones below it
}

// waiting is a line that the terminal shows at the end of its step, if at all.
type waiting struct {
	text, style string
	tool        bool // of the tool: left out when there are too many
}

// say prints something that takes no time.
func (n *narrator) say(who story.Who, mark story.Mark, title, answer string, parts ...story.Part) *event {
	e := n.add(who, title)
	e.mark, e.answer, e.parts = mark, answer, parts
	n.show.act(who, n.show.sign(mark), title, "", n.show.paint(faint, printable(answer)))
	return e
}

// begin prints that something has started.
func (n *narrator) begin(who story.Who, title, detail string) *event {
	e := n.add(who, title)
	e.detail = detail
	e.announce()
	return e
}

// beginQuietly begins something short: the terminal shows it only when it has
// something to say, or has ended.
func (n *narrator) beginQuietly(who story.Who, title, detail string) *event {
	e := n.add(who, title)
	e.detail, e.quiet = detail, true
	return e
}

func (e *event) announce() {
	if !e.announced {
		e.announced = true
		e.n.show.act(e.who, e.n.show.paint(faint, "▸"), e.title, e.detail, "")
	}
}

func (n *narrator) add(who story.Who, title string) *event {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := &event{n: n, who: who, title: title, began: n.now()}
	if len(n.chapters) == 0 {
		n.chapters = append(n.chapters, &chapter{title: "Before the curtain"})
	}
	last := n.chapters[len(n.chapters)-1]
	last.events = append(last.events, e)
	return e
}

// line takes one line of the step's log. Only one goroutine writes to an event.
func (e *event) line(s runner.Shown) {
	if s.Kind == runner.LineHidden {
		return
	}
	e.announce()
	switch s.Kind {
	case runner.LineGroup:
		e.closeGroup()
		e.inGroup, e.heading, e.held = true, s.Text, nil
		e.text.WriteString("▸ " + clean(s.Text) + "\n")
	case runner.LineGroupEnd:
		e.closeGroup()
	case runner.LineAnnotation:
		e.text.WriteString(clean(s.Text) + "\n")
		e.printAnnotation(s.Text)
	case runner.LineText:
		if e.inGroup {
			e.text.WriteString("  ")
			e.held = append(e.held, s.Text)
		} else {
			e.printLine(s.Text)
		}
		e.text.WriteString(clean(s.Text) + "\n")
	}
}

// The terminal shows the first and the last lines of what a tool writes, and all
// that metapipe says itself.
const firstLines, lastLines = 2, 3

func (e *event) printLine(text string) {
	words, begins := strings.CutPrefix(text, "metapipe: ")
	if e.own = begins || e.own && strings.HasPrefix(text, "  "); e.own {
		if begins {
			e.message = ""
		}
		e.message += words + "\n"
		e.printInOrder(faint, words)
		return
	}
	if e.printed < firstLines && len(e.unprinted) == 0 {
		e.printed++
		e.n.show.log(e.who, faint, text)
		return
	}
	e.unprinted = append(e.unprinted, waiting{text: text, style: faint, tool: true})
}

// printInOrder shows a line now, or behind those that came before it and wait.
func (e *event) printInOrder(style, text string) {
	if len(e.unprinted) > 0 || len(e.held) > 0 {
		e.unprinted = append(e.unprinted, waiting{text: text, style: style})
		return
	}
	e.n.show.log(e.who, style, text)
}

// printAnnotation leaves out what metapipe has just said in lines of its own.
func (e *event) printAnnotation(text string) {
	if _, message, ok := strings.Cut(text, ": "); ok && said(strings.TrimPrefix(message, "metapipe: "), e.message) {
		return
	}
	e.printInOrder(annotationStyle(text), text)
}

// column is the column in a place: the log has it, the text of an annotation does not.
var column = text.Pattern(`(?m)^(\s*\S+:\d+):\d+: `)

// said reports whether the lines of a message contain an annotation.
func said(annotation, message string) bool {
	words := text.OneLine(annotation)
	lines := " " + text.OneLine(column().ReplaceAllString(message, "$1: ")) + " "
	return words != "" && strings.Contains(lines, " "+words+" ")
}

func annotationStyle(text string) string {
	if strings.HasPrefix(text, "error") {
		return red
	}
	return yellow
}

// closeGroup shows a group folded, as Actions does.
func (e *event) closeGroup() {
	if !e.inGroup {
		return
	}
	e.inGroup = false
	e.n.show.log(e.who, faint, fmt.Sprintf("▸ %s (%s)", e.heading, count(len(e.held), "line")))
}

// failedLines is how much of what was held back is shown when a step failed.
const failedLines = 40

// printWaiting shows what waits in its order: the last lines of the tool, and all
// of metapipe's own.
func (e *event) printWaiting(failed bool) {
	lines, most := e.unprinted, lastLines
	if failed {
		most = failedLines
		lines = nil
		for _, text := range e.held {
			lines = append(lines, waiting{text: text, style: faint, tool: true})
		}
		lines = append(lines, e.unprinted...)
	}
	more := -most
	for _, l := range lines {
		if l.tool {
			more++
		}
	}
	if more > 0 {
		e.n.show.log(e.who, faint, "… "+count(more, "more line"))
	}
	for _, l := range lines {
		if l.tool {
			if more--; more >= 0 {
				continue
			}
		}
		e.n.show.log(e.who, l.style, l.text)
	}
}

// end prints what came back.
func (e *event) end(mark story.Mark, answer string, parts ...story.Part) {
	e.closeGroup()
	show := e.n.show
	e.printWaiting(mark == story.Failed)
	e.n.mu.Lock()
	e.ended, e.mark, e.answer = e.n.now(), mark, answer
	e.parts = append(e.parts, parts...)
	took := e.ended.Sub(e.began)
	e.n.mu.Unlock()
	answer = show.paint(markSign[mark].style, printable(answer))
	if t := story.Took(took); t != "" {
		answer += "  " + show.paint(faint, t)
	}
	show.act(e.who, show.sign(mark), e.title, "", answer)
}

// show adds parts to an event that was printed before.
func (e *event) show(parts ...story.Part) {
	e.n.mu.Lock()
	defer e.n.mu.Unlock()
	e.parts = append(e.parts, parts...)
}

// printable copies what was written down so far.
func (n *narrator) printable() ([]story.Chapter, []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	chapters := make([]story.Chapter, 0, len(n.chapters))
	for _, c := range n.chapters {
		printed := story.Chapter{Title: c.title, Lead: c.lead, Mark: c.mark}
		for _, e := range c.events {
			x := story.Event{Who: e.who, Title: e.title, Answer: e.answer, Mark: e.mark, At: e.began, Anchor: e.anchor, Quiet: e.quiet, Parts: e.parts}
			if !e.ended.IsZero() {
				x.Took = e.ended.Sub(e.began)
			}
			printed.Events = append(printed.Events, x)
		}
		chapters = append(chapters, printed)
	}
	return chapters, append([]string(nil), n.notes...)
}

// clean keeps the line breaks and indentation of a log and drops the rest of
// what is not text.
func clean(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		lines[i] = printable(l)
	}
	return strings.Join(lines, "\n")
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
