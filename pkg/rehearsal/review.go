package rehearsal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
)

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
