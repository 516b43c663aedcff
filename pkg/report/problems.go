package report

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// Problems writes problems for a terminal, in their order: one line with place,
// kind, message and rule, and the remedy below the message. Nothing in it can
// move a cursor or change a colour. The error is the writer's.
func Problems(w io.Writer, problems pipeline.Problems) error {
	width := 0
	for _, p := range problems {
		width = max(width, utf8.RuneCountInString(placeWords(p)))
	}
	width = min(width, 48)
	for _, p := range problems {
		kind := "error  "
		if p.Warning {
			kind = "warning"
		}
		where := placeWords(p)
		pad := strings.Repeat(" ", max(0, width-utf8.RuneCountInString(where)))
		text := fmt.Sprintf("%s%s  %s  %s", where, pad, kind, plain(p.Message, sentenceLimit))
		if p.Rule != "" {
			text += "  [" + plain(p.Rule, 80) + "]"
		}
		if p.Remedy != "" {
			text += "\n" + strings.Repeat(" ", width+len(kind)+4) + "→ " + plain(p.Remedy, sentenceLimit)
		}
		if _, err := io.WriteString(w, text+"\n"); err != nil {
			return fmt.Errorf("write problems: %w", err)
		}
	}
	return nil
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
		return signBad + " The request was not accepted: " + prose(reasonWords(req.Reason)) + ". Nothing was changed.\n\n"
	}
	head := "#### What to mend\n\n| Where | What is wrong | What to do |\n| --- | --- | --- |\n"
	if !req.Rejected() {
		head = strings.Replace(head, "What to mend", signCare+" Advice", 1)
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
		remedy = prose(p.Remedy)
	} else {
		message = clip(message, 80)
	}
	if p.Warning {
		where = signCare + " " + where
	}
	return "| " + cell(where) + " | " + cell(sentenceOr(message)) + " | " + cell(remedy) + " |\n"
}
