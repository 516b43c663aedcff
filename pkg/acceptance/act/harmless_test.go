package act

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/acceptance/fixture"
)

// wantHarmless looks at everything that a journey has left: nothing was executed, no
// step said what a runner would obey, and what people read holds the texts as code.
func (w *actSetup) wantHarmless(j journey, canary string) {
	t := w.T
	t.Helper()
	if made := fixture.Must(os.ReadDir(canary))(t); len(made) != 0 {
		t.Errorf("executed: %v", made)
	}
	shown := map[string]string{}
	for i, s := range slices.Concat(j.asked, j.answered) {
		if found := fixture.CommandsIn(s.said); len(found) > 0 {
			t.Errorf("%s writes commands: %q", s.command, found)
		}
		for name, value := range s.outputs {
			if name != "outputs" && strings.Contains(value, "pwned") {
				t.Errorf("%s has the output %s=%q", s.command, name, value)
			}
		}
		shown[fmt.Sprintf("summary %d of %s", i, s.command)] = s.summary
	}
	for _, pr := range w.Customer.Snapshot().Pulls {
		for _, c := range pr.Comments {
			shown["comment"] = c.Body
		}
	}
	for place, text := range shown {
		for _, problem := range fixture.Misreadings(text) {
			t.Errorf("%s %s", place, problem)
		}
	}
	for sha := range w.Customer.Snapshot().Statuses {
		for statusContext, status := range w.Statuses(sha) {
			if strings.ContainsFunc(status, fixture.Invisible) {
				t.Errorf("status %s: %q", statusContext, status)
			}
		}
	}
}

// wantShown looks for words of the attacks in what a reviewer reads.
func (w *actSetup) wantShown(j journey) {
	w.T.Helper()
	for _, word := range []string{"pwned-annotation", "ghadelimiter_pwned", `\u200f`, "onerror=pwned", "pwned-dollar", "/etc/passwd"} {
		if !slices.ContainsFunc(j.answered, func(s actStep) bool { return strings.Contains(s.summary, word) }) {
			w.T.Errorf("no summary shows %q", word)
		}
		if body := w.Customer.Snapshot().Pulls[0].Comments[0].Body; !strings.Contains(body, word) {
			w.T.Errorf("the comment does not show %q:\n%s", word, body)
		}
	}
}
