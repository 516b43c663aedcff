package cli

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/render"
)

// stepWidth is how long a step may be to stand in a row of a table. Longer ones follow
// below it, each once.
const stepWidth = 60

// longSteps numbers the steps that are too long for a row.
type longSteps struct{ texts []string }

// cell is what the row of a step says.
func (s *longSteps) cell(text string) string {
	if len(text) <= stepWidth && !strings.Contains(text, "\n") {
		return render.TerminalLine(text)
	}
	i := slices.Index(s.texts, text)
	if i < 0 {
		i, s.texts = len(s.texts), append(s.texts, text)
	}
	return fmt.Sprintf("see [%d]", i+1)
}

// print writes the long steps below the table.
func (s *longSteps) print(w io.Writer) error {
	for i, text := range s.texts {
		if _, err := fmt.Fprintf(w, "\n[%d] %s\n", i+1, render.Terminal(text)); err != nil {
			return err
		}
	}
	if len(s.texts) == 0 {
		return nil
	}
	_, err := fmt.Fprintln(w)
	return err
}
