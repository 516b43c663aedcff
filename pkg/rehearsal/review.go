package rehearsal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/metapipe/metapipe/pkg/rehearsal/story"
)

// review is what the reviewer sees and says at a gate: the plan in one line, the
// receipt that ties the apply to it, and where the whole of it is written.
func (m *managerRun) review(ctx context.Context, env string, plan map[string]string) (yes bool, why string, err error) {
	e := m.narrator.begin(story.Reviewer, env+" waits for approval", counted(plan)+" · receipt "+plan["receipt-code"])
	e.show(story.Part{Kind: story.Summary, Title: "The job summary that the reviewer sees; receipt " + plan["receipt-code"], Markdown: m.lastSummary})
	e.line(shown{lineText, "The plan is in the job summary: " + m.folder.path("manager", "summaries", m.lastFile)})
	switch m.approve {
	case ApproveYes:
		yes, why = true, "approved by the rehearsal"
	case ApproveNo:
		yes, why = false, "rejected by the rehearsal"
	default:
		yes, why, err = m.ask(ctx, fmt.Sprintf("%-*s? Apply this plan to %s? [y/N] ", gutter, "", env))
	}
	switch {
	case err != nil:
		e.end(story.Stopped, "no answer")
	case yes:
		e.end(story.Done, "approved")
	default:
		e.end(story.Stopped, why)
	}
	return yes, why, err
}

// ask puts a question to the person at the terminal. The end of the input is no.
func (s *rehearsal) ask(ctx context.Context, question string) (bool, string, error) {
	s.narrator.show.prompt(question)
	select {
	case <-ctx.Done():
		s.narrator.show.answered(true)
		return false, "", ctx.Err()
	case a := <-s.answers():
		s.narrator.show.answered(s.opts.Width == 0) // an input that is no terminal shows no keys
		if errors.Is(a.err, io.EOF) && strings.TrimSpace(a.line) == "" {
			return false, "rejected: there was no answer", nil
		}
		if a.err != nil && !errors.Is(a.err, io.EOF) {
			return false, "", fmt.Errorf("read the answer: %w", a.err)
		}
		switch strings.ToLower(strings.TrimSpace(a.line)) {
		case "y", "yes":
			return true, "approved at the terminal", nil
		}
		return false, "rejected at the terminal", nil
	}
}

type reply struct {
	line string
	err  error
}

// answers reads one line from the input. A read cannot be taken back: the line
// that comes after a cancel is lost, together with the process.
func (s *rehearsal) answers() <-chan reply {
	c := make(chan reply, 1)
	go func() {
		line, err := s.input.ReadString('\n')
		c <- reply{line, err}
	}()
	return c
}

func newInput(r io.Reader) *bufio.Reader {
	if r == nil {
		r = strings.NewReader("")
	}
	return bufio.NewReader(r)
}
