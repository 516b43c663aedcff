package render

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// content is the section about the files of the repository; nothing where there was no
// look at them.
func (s scribe) content(c *pipeline.ContentResult) string {
	if c == nil {
		return ""
	}
	_, fits := pipeline.ContentResult{Type: c.Type}.Status()
	text := "#### Content type\n\n"
	if len(c.Problems) == 0 && c.Unknown == "" {
		text += signGood + " " + fits + ".\n\n"
	}
	if c.Unknown != "" {
		text += signCare + " " + plainText(clip("Not known: "+c.Unknown, 1000)) + ". What the repository lacks is not judged.\n\n"
	}
	if c.Assumed != "" {
		text += plainText("The default rules were applied: "+c.Assumed+".") + "\n\n"
	}
	if len(c.Problems) == 0 {
		return text
	}
	text += "| Where | What is wrong | What to do |\n| --- | --- | --- |\n"
	room := DefaultSummaryBytes / 4
	for i, p := range c.Problems {
		row := s.problemRow(p, true)
		if len(text)+len(row) > room {
			return text + moreFindings(len(c.Problems)-i+c.More)
		}
		text += row
	}
	return text + moreFindings(c.More)
}

func moreFindings(n int) string {
	if n == 0 {
		return "\n"
	}
	return fmt.Sprintf("| … | and %d more | |\n\n", n)
}
