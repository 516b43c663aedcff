package render_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/render"
	"github.com/metapipe/metapipe/pkg/text"
)

// TestProblemsOnATerminal: lines end at its width, and only the pen's own codes are in
// them.
func TestProblemsOnATerminal(t *testing.T) {
	t.Parallel()
	problems := pipeline.Problems{
		{Position: pipeline.Position{File: "infra/variables.yml", Line: 12, Column: 7}, Rule: "schema-pattern", Message: strings.Repeat("some words ", 20) + "\x1b[2J", Remedy: strings.Repeat("write it ", 20)},
		{Position: pipeline.Position{File: "metapipe.yml"}, Message: "advice", Warning: true},
	}
	for _, width := range []int{40, 60, 80, 120} {
		var plain, painted strings.Builder
		if err := render.Problems(&plain, text.Pen{Width: width}, problems); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(plain.String()) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d columns where there are %d: %q", n, width, line)
			}
		}
		if strings.Contains(plain.String(), "\x1b") {
			t.Errorf("codes without colors: %q", plain.String())
		}
		if err := render.Problems(&painted, text.Pen{Width: width, Color: true}, problems); err != nil {
			t.Fatal(err)
		}
		bare := painted.String()
		for _, style := range []string{text.Bold, text.Red, text.Yellow, "0"} {
			bare = strings.ReplaceAll(bare, "\x1b["+style+"m", "")
		}
		if bare != plain.String() {
			t.Errorf("the pen changes more than colors:\n%s\n%s", bare, plain.String())
		}
	}
}
