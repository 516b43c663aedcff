package rehearsal

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
)

// ask puts a question to the person at the terminal. The end of the input is no.
// One question stands open at a time.
func (s *rehearsal) ask(ctx context.Context, question string) (bool, string, error) {
	s.input.asked.Lock()
	defer s.input.asked.Unlock()
	if ctx.Err() != nil {
		return false, "", ctx.Err()
	}
	s.narrator.show.prompt(question)
	a, err := s.input.line(ctx)
	if err != nil {
		s.narrator.show.answered(true)
		return false, "", err
	}
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

type reply struct {
	line string
	err  error
}

// input is where the answers come from, read line by line.
type input struct {
	asked  sync.Mutex // held while a question stands open
	reader *bufio.Reader
	next   chan reply // of a read that goes on; a question that was cancelled leaves it to the next one
}

// line is the next line of the input. A read cannot be taken back: after a cancel
// it goes on, and its line answers the next question.
func (in *input) line(ctx context.Context) (reply, error) {
	if in.next == nil {
		next := make(chan reply, 1)
		go func() {
			line, err := in.reader.ReadString('\n')
			next <- reply{line, err}
		}()
		in.next = next
	}
	select {
	case <-ctx.Done():
		return reply{}, ctx.Err()
	case a := <-in.next:
		in.next = nil
		return a, nil
	}
}

func newInput(r io.Reader) *input {
	if r == nil {
		r = strings.NewReader("")
	}
	return &input{reader: bufio.NewReader(r)}
}
