package render

import "github.com/metapipe/metapipe/pkg/pipeline"

// The sizes that hold where a Renderer says nothing else. GitHub refuses comments
// above 65,536 characters and job summaries above 1 MiB.
const (
	DefaultCommentChars = 60_000
	DefaultCommentBytes = 65_000
	DefaultSummaryBytes = 1_000_000

	smallestRoom = 8_000 // less cannot hold the headline of a few environments
)

// Renderer writes reports within sizes. The zero value has the default sizes; a
// size that is too small to hold any report counts as 8,000.
type Renderer struct {
	// CommentChars is the most code points of a comment, and CommentBytes the
	// most bytes of it as a JSON string, so that a marker and the envelope of the
	// request still fit.
	CommentChars, CommentBytes int
	// SummaryBytes is the most bytes of a job summary.
	SummaryBytes int
}

func (r Renderer) comment(req pipeline.Request, to sink) scribe {
	return scribe{
		sink: to, req: req,
		room: size{
			chars: roomOr(r.CommentChars, DefaultCommentChars),
			bytes: roomOr(r.CommentBytes, DefaultCommentBytes),
		},
		block: size{6000, 6500}, value: 400, lines: 60,
	}
}

func roomOr(n, otherwise int) int {
	if n <= 0 {
		n = otherwise
	}
	return max(n, smallestRoom)
}

// sink is where a text goes. It decides where a reader is sent for what had to
// be left out.
type sink int

const (
	commentSink sink = iota
	summarySink
	laptopSink
	issueSink
)

// scribe writes one text for one sink.
type scribe struct {
	sink  sink
	req   pipeline.Request
	room  size // of the whole text
	block size // of one resource
	value int  // characters of one line of a value
	lines int  // lines of one value
	// nested: what is written stands in the section of a stack, one level below that of
	// its environment.
	nested bool
}

// ofOperator reports a place that no customer reads: the summary of the manager's run, and
// the terminal of an operator. Only there stands what the operator does.
func (s sink) ofOperator() bool { return s == summarySink || s == laptopSink }

// elsewhere says, in Markdown, where the things are that found no room.
func (s scribe) elsewhere(t pipeline.TargetReport) string {
	switch {
	case s.sink == laptopSink:
		return "`metapipe plan --json` has them all"
	case s.sink == issueSink:
		return "the service provider's drift report has them all"
	case s.sink == summarySink:
		return "`metapipe plan --json`, run on a laptop, has them all"
	}
	return "see the " + link("job summary", t.RunURL)
}
