package render

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Comment returns the body of the pull request comment, as GitHub Markdown and
// without a marker. Equal reports give equal comments: Report.At, the time of
// writing, is not in it, so a rerun that changes nothing need not edit anything.
func (r Renderer) Comment(rep pipeline.Report) string {
	return r.comment(rep.Request, commentSink).compose(rep)
}

// Summary returns the job summary: the same as the comment, with more room.
func (r Renderer) Summary(rep pipeline.Report) string {
	n := roomOr(r.SummaryBytes, DefaultSummaryBytes)
	s := scribe{
		sink: summarySink, req: rep.Request,
		room:  size{n, n},
		block: size{40_000, 40_000}, value: 2000, lines: 400,
	}
	return s.compose(rep)
}

// Plan returns one target as its section of the comment would look, for a
// terminal or a file on a laptop. It holds no control characters.
func (r Renderer) Plan(t pipeline.TargetReport) string {
	s := r.comment(pipeline.Request{}, laptopSink)
	dangers, section := s.sections([]pipeline.TargetReport{t}, 1, s.room)
	if head, rest, ok := strings.Cut(section, "\n\n"); ok {
		return head + "\n\n" + dangers + rest
	}
	return section + dangers
}
