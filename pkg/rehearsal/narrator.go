package rehearsal

import (
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// narrator tells the story in the terminal as it happens, and writes it down.
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

// note tells something about the whole rehearsal.
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
	detail  string
	began   time.Time
	ended   time.Time
	mark    story.Mark
	answer  string
	anchor  string
	parts   []story.Part
	text    strings.Builder // the log, masked
	inGroup bool
	held    []string // lines of the open or last group
	heading string   // its title
}

// say tells of something that takes no time.
func (n *narrator) say(who story.Who, mark story.Mark, title, answer string, parts ...story.Part) *event {
	e := n.add(who, title, "")
	e.mark, e.answer, e.parts = mark, answer, parts
	n.show.act(who, n.show.sign(mark), title, "", n.show.paint(faint, printable(answer)))
	return e
}

// begin tells that something has started.
func (n *narrator) begin(who story.Who, title, detail string) *event {
	e := n.add(who, title, detail)
	n.show.act(who, n.show.paint(faint, "▸"), title, detail, "")
	return e
}

func (n *narrator) add(who story.Who, title, detail string) *event {
	n.mu.Lock()
	defer n.mu.Unlock()
	e := &event{n: n, who: who, title: title, detail: detail, began: n.now()}
	if len(n.chapters) == 0 {
		n.chapters = append(n.chapters, &chapter{title: "Before the curtain"})
	}
	last := n.chapters[len(n.chapters)-1]
	last.events = append(last.events, e)
	return e
}

// line takes one line of the step's log. Only one goroutine writes to an event.
func (e *event) line(s shown) {
	show := e.n.show
	switch s.kind {
	case lineHidden:
		return
	case lineGroup:
		e.closeGroup()
		e.inGroup, e.heading, e.held = true, s.text, nil
		e.text.WriteString("▸ " + clean(s.text) + "\n")
	case lineGroupEnd:
		e.closeGroup()
	case lineAnnotation:
		e.text.WriteString(clean(s.text) + "\n")
		show.log(e.who, annotationStyle(s.text), s.text)
	case lineText:
		if e.inGroup {
			e.text.WriteString("  ")
			e.held = append(e.held, s.text)
		} else {
			show.log(e.who, faint, s.text)
		}
		e.text.WriteString(clean(s.text) + "\n")
	}
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

// unfoldLines is how much of the last group is shown when its step failed.
const unfoldLines = 40

// end tells what came back.
func (e *event) end(mark story.Mark, answer string, parts ...story.Part) {
	e.closeGroup()
	show := e.n.show
	if mark == story.Failed && len(e.held) > 0 {
		for _, l := range e.held[max(0, len(e.held)-unfoldLines):] {
			show.log(e.who, faint, "  "+l)
		}
	}
	e.n.mu.Lock()
	e.ended, e.mark, e.answer = e.n.now(), mark, answer
	e.parts = append(e.parts, parts...)
	took := e.ended.Sub(e.began)
	e.n.mu.Unlock()
	show.act(e.who, show.sign(mark), e.title, "", show.paint(markSign[mark].style, printable(answer))+"  "+show.paint(faint, story.Took(took)))
}

// show adds parts to an event that was told before.
func (e *event) show(parts ...story.Part) {
	e.n.mu.Lock()
	defer e.n.mu.Unlock()
	e.parts = append(e.parts, parts...)
}

// tellable copies what was written down so far.
func (n *narrator) tellable() ([]story.Chapter, []string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	chapters := make([]story.Chapter, 0, len(n.chapters))
	for _, c := range n.chapters {
		told := story.Chapter{Title: c.title, Lead: c.lead, Mark: c.mark}
		for _, e := range c.events {
			x := story.Event{Who: e.who, Title: e.title, Detail: e.detail, Answer: e.answer, Mark: e.mark, At: e.began, Anchor: e.anchor, Parts: e.parts}
			if !e.ended.IsZero() {
				x.Took = e.ended.Sub(e.began)
			}
			told.Events = append(told.Events, x)
		}
		chapters = append(chapters, told)
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
