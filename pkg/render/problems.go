package render

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// Problems writes problems for a terminal, in their order: one line with place,
// kind, message and rule, and the remedy below the message. Nothing in it can
// move a cursor or change a color but pen itself, which also breaks long lines where
// it knows a width. The error is the writer's.
func Problems(w io.Writer, pen text.Pen, problems pipeline.Problems) error {
	width := 0
	for _, p := range problems {
		width = max(width, utf8.RuneCountInString(placeWords(p)))
	}
	width = min(width, 48)
	for _, p := range problems {
		if _, err := io.WriteString(w, problemLines(pen, p, width)); err != nil {
			return fmt.Errorf("write problems: %w", err)
		}
	}
	return nil
}

// problemLines are the lines of one problem behind a column of places.
func problemLines(pen text.Pen, p pipeline.Problem, width int) string {
	kind, style := "error  ", text.Red
	if p.Warning {
		kind, style = "warning", text.Yellow
	}
	where := placeWords(p)
	pad := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(where)))
	message := plain(p.Message, sentenceLimit)
	if p.Rule != "" {
		message += "  [" + plain(p.Rule, 80) + "]"
	}
	indent := width + len(kind) + 4
	if pen.Width > 0 && pen.Width < indent+30 { // too narrow for two columns
		indent = len(kind) + 6
		pad += "\n  "
	}
	out := pen.Paint(text.Bold, where) + pad + "  " + pen.Paint(style, kind) + "  " + broken(pen, message, indent, "") + "\n"
	if p.Remedy != "" {
		out += strings.Repeat(" ", indent) + "→ " + broken(pen, plain(p.Remedy, sentenceLimit), indent, "  ") + "\n"
	}
	return out
}

// broken breaks a sentence that begins at a column, where the width is known.
func broken(pen text.Pen, sentence string, column int, hang string) string {
	if pen.Width <= 0 {
		return sentence
	}
	lines := text.Wrap(sentence, max(20, pen.Width-column-len(hang)))
	return strings.Join(lines, "\n"+strings.Repeat(" ", column)+hang)
}

func placeWords(p pipeline.Problem) string {
	if p.File == "" {
		return "-"
	}
	return plain(p.Position.String(), nameLimit)
}

const rejectedEnd = "Nothing was planned and nothing was changed.\n\n"

// problems is the table that answers a rejected request.
func (s scribe) problems(req pipeline.Request, room size) string {
	if !req.Rejected() && len(req.Problems) == 0 {
		return ""
	}
	if len(req.Problems) == 0 {
		return signBad + " The request was not accepted: " + plainText(reasonWords(req.Reason)) + ". Nothing was changed.\n\n**Next:** " + rejectedNext(req.Mode, req.Reason) + "\n\n"
	}
	head := "#### What to fix\n\n| Where | What is wrong | What to do |\n| --- | --- | --- |\n"
	if !req.Rejected() {
		head = strings.Replace(head, "What to fix", signCare+" Advice", 1)
	}
	run := pipeline.TargetReport{RunURL: req.ManagerRun.URL}
	f := entries{
		n:     len(req.Problems),
		full:  func(i int) string { return s.problemRow(req.Problems[i], true) },
		short: func(i int) string { return s.problemRow(req.Problems[i], false) },
		more: func(shown int) string {
			return fmt.Sprintf("| … | and %s more | %s |\n", plural(len(req.Problems)-shown, "problem"), s.elsewhere(run))
		},
	}.fit(room.minus(measure(head + rejectedEnd + "\n")))
	end := rejectedEnd
	if !req.Rejected() {
		end = ""
	}
	return head + f.join() + "\n" + end
}

func (s scribe) problemRow(p pipeline.Problem, full bool) string {
	where, message, remedy := "", p.Message, ""
	if p.File != "" {
		where = s.place(p.Position)
	}
	if full {
		remedy = plainText(p.Remedy)
	} else {
		message = clip(message, 80)
	}
	if p.Warning {
		where = signCare + " " + where
	}
	return "| " + cell(where) + " | " + cell(sentenceOr(message)) + " | " + cell(remedy) + " |\n"
}
