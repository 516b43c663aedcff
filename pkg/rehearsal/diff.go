package rehearsal

import (
	"strings"

	textdiff "github.com/rogpeppe/go-internal/diff"
)

// diff shows what changes from one text to another: the changed lines with a
// minus or a plus before them, three lines around them, and "@@" where unchanged
// lines are left out before a change.
func diff(from, to []byte) string {
	var b strings.Builder
	for i, l := range strings.SplitAfter(string(textdiff.Diff("", from, "", to)), "\n") {
		switch {
		case i < 3: // the names of the two texts
		case strings.HasPrefix(l, "@@ -1,") || strings.HasPrefix(l, "@@ -0,"):
		case strings.HasPrefix(l, "@@"):
			b.WriteString("@@\n")
		case l != "":
			b.WriteString(clean(strings.TrimSuffix(l, "\n")) + "\n")
		}
	}
	return b.String()
}
