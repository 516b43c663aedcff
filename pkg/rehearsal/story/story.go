// Package story renders a rehearsal as one self-contained HTML page: a timeline
// of who did what, with comments, statuses, deployments and summaries as their
// readers would see them.
package story

import (
	"slices"
	"strconv"
	"time"
)

// Story is everything that happened, in order.
type Story struct {
	Title    string
	At       time.Time
	Took     time.Duration
	OK       bool
	Verdict  string // one sentence
	Customer string // owner/name
	Manager  string // owner/name
	// BaseURL is the address of the in-process GitHub. Links to its workflow runs
	// become links to the event with that anchor; see RunAnchor.
	BaseURL  string
	Notes    []string
	Chapters []Chapter
	Results  []Result
	Calls    []Calls
}

// Chapter is one part of the story, such as "pull request".
type Chapter struct {
	Title  string
	Lead   string // a sentence about what it shows
	Mark   Mark
	Events []Event
}

// ChapterAnchor is the anchor of a chapter by its place, from 0.
func ChapterAnchor(place int) string { return "chapter-" + strconv.Itoa(place) }

// Who acts in an event.
type Who string

// The actors.
const (
	Customer Who = "customer"
	Manager  Who = "manager"
	Inbox    Who = "inbox" // between them, where the provider has one
	Reviewer Who = "reviewer"
	GitHub   Who = "github"
)

// Mark says how something ended.
type Mark string

// The marks; Said is for what neither succeeds nor fails.
const (
	Said    Mark = ""
	Done    Mark = "done"
	Failed  Mark = "failed"
	Waiting Mark = "waiting"
	Stopped Mark = "stopped" // refused by a person, skipped or cancelled
)

// Event is one thing that someone did.
type Event struct {
	Who    Who
	Title  string
	Answer string // what came back, short
	Mark   Mark
	At     time.Time
	Took   time.Duration
	Anchor string // of the workflow run that begins here; see RunAnchor
	Quiet  bool   // it only passes on what others did
	Parts  []Part
}

// Highlights are what people see and decide, in order: the comments, and the gate.
func (c Chapter) Highlights() []Event { return c.pick(Event.highlight) }

// Steps are the other events that do something, in order.
func (c Chapter) Steps() []Event {
	return c.pick(func(e Event) bool { return !e.highlight() && !e.quiet() })
}

// Reports are the events that only pass on what others did, in order. One that
// failed is a step.
func (c Chapter) Reports() []Event { return c.pick(Event.quiet) }

func (c Chapter) pick(wanted func(Event) bool) []Event {
	var out []Event
	for _, e := range c.Events {
		if wanted(e) {
			out = append(out, e)
		}
	}
	return out
}

func (e Event) highlight() bool {
	return e.Who == Reviewer || slices.ContainsFunc(e.Parts, func(p Part) bool { return p.Kind == Comment })
}

func (e Event) quiet() bool { return e.Quiet && e.Mark != Failed && !e.highlight() }

// Kind is the form of a part.
type Kind string

// The kinds of part, with the fields that they use beside Title.
const (
	Comment  Kind = "comment"  // Markdown; Author wrote it
	Summary  Kind = "summary"  // Markdown
	Log      Kind = "log"      // Text
	Diff     Kind = "diff"     // Text, as of diff -u
	Statuses Kind = "statuses" // Rows: state, context, description
	Table    Kind = "table"    // Rows: any; the first is the head
	Problems Kind = "problems" // Text, one a line
)

// Part is something to look at below an event.
type Part struct {
	Kind     Kind
	Title    string
	Author   string
	Markdown string
	Text     string
	Rows     [][]string
	Open     bool // unfolded from the start
}

// Result is one line of the summary of a chapter.
type Result struct {
	Step     string
	Expected string
	Got      string
	OK       bool
	LeftOut  bool
	Took     time.Duration
	Anchor   string // of the chapter, see ChapterAnchor; "" where it has none
}

// Calls counts the requests to GitHub of one step.
type Calls struct {
	Step          string
	Reads, Writes int
}
