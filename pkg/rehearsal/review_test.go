package rehearsal

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
)

// Two jobs may wait for their gates at once, and either may be cancelled: one question
// stands open at a time, one read goes on, and no line of a person is lost.
func TestAskOneAfterTheOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		answers, person := io.Pipe()
		defer func() { _ = person.Close() }()
		var out strings.Builder
		s := &rehearsal{input: newInput(answers), narrator: &narrator{show: &terminal{w: &out}}}
		first, cancel := context.WithCancel(t.Context())
		var wait sync.WaitGroup
		wait.Go(func() {
			if yes, _, err := s.ask(first, "first? "); yes || !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: got %v, %v", yes, err)
			}
		})
		synctest.Wait()
		wait.Go(func() {
			if yes, _, err := s.ask(t.Context(), "second? "); !yes || err != nil {
				t.Errorf("answered: got %v, %v", yes, err)
			}
		})
		cancel()
		synctest.Wait()
		if _, err := io.WriteString(person, "y\n"); err != nil {
			t.Fatal(err)
		}
		wait.Wait()
		if got := out.String(); got != "first? \nsecond? \n" {
			t.Errorf("the terminal shows %q", got)
		}
		if _, _, err := s.ask(first, "third? "); !errors.Is(err, context.Canceled) || strings.Contains(out.String(), "third") {
			t.Errorf("a question of a cancelled job: got %v and %q", err, out.String())
		}
	})
}
