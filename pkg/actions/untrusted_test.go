package actions_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/metapipe/metapipe/pkg/actions"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/testdata/untrusted"
)

// TestUntrustedText sends the corpus to each sink of the runner: the log, the
// outputs, annotations, masks and the summary.
func TestUntrustedText(t *testing.T) {
	t.Parallel()
	for _, s := range untrusted.Strings(t) {
		var out bytes.Buffer
		if _, err := io.WriteString(actions.Neutralize(&out), s); err != nil || untrusted.Command(out.String()) {
			t.Errorf("log of %q: %q %v", s, &out, err)
		}
		r, log, c := step(t)
		if err := r.SetOutput("name", s); err != nil {
			t.Fatal(err)
		}
		if err := r.SetOutput("after", "x"); err != nil {
			t.Fatal(err)
		}
		got := parseOutputs(t, read(t, c.OutputFile))
		if want := strings.ToValidUTF8(s, "\uFFFD"); len(got) != 2 || got["name"] != want || got["after"] != "x" {
			t.Errorf("outputs of %q: %q", s, got)
		}
		for kind, send := range map[string]func() error{
			"error":    func() error { return r.Annotate(problemsOf(s)) },
			"add-mask": func() error { return r.Mask(s) },
		} {
			log.Reset()
			if err := send(); err != nil {
				t.Fatal(err)
			}
			for line := range strings.FieldsFuncSeq(log.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
				if !strings.HasPrefix(line, "::"+kind+" ") && !strings.HasPrefix(line, "::"+kind+"::") {
					t.Errorf("%s of %q printed %q", kind, s, line)
				}
			}
		}
	}
}

func problemsOf(s string) pipeline.Problems {
	return pipeline.Problems{{Position: pipeline.Position{File: s, Line: 3, Column: 1}, Rule: s, Message: s, Remedy: s}}
}
