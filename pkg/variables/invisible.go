package variables

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// checkInvisible warns of keys and texts with characters that a reader does not
// see: they make two names that look alike.
func checkInvisible(file string, root *strictyaml.Node) (problems pipeline.Problems) {
	warn := func(at pipeline.Position, what, s string) {
		found, ok := invisibleIn(s)
		if !ok {
			return
		}
		at.File = file
		problems = append(problems, pipeline.Problem{Position: at, Rule: RuleInvisible, Warning: true,
			Message: fmt.Sprintf(`%s "%s" has the invisible character %s`, what, strictyaml.Short(marked(s)), found),
			Remedy:  "type it again without that character; a copied text often brings one along"})
	}
	root.Walk(func(path []string, n *strictyaml.Node) {
		for _, e := range n.Entries {
			warn(e.KeyPlace(), "the key", e.Key)
		}
		if n.Kind == strictyaml.String {
			at, _ := root.Locate(path...)
			warn(at, "the text", n.Text)
		}
	})
	return problems
}

// invisibleIn names the first invisible character of a text. Line breaks and tabs
// are layout, and a variation selector that follows a symbol is part of an emoji.
func invisibleIn(s string) (string, bool) {
	before := ' '
	var sight text.Sight
	for _, r := range s {
		emoji := r == '\ufe0f' && unicode.In(before, unicode.So, unicode.Sm, unicode.Po)
		if hidden := sight.Hidden(r); hidden && r != '\n' && r != '\r' && r != '\t' && !emoji {
			if unicode.Is(unicode.M, r) && !text.Invisible(r) {
				return fmt.Sprintf("U+%04X, a combining mark without a letter before it", r), true
			}
			if unicode.Is(unicode.Zs, r) {
				return fmt.Sprintf("U+%04X, a space of another kind", r), true
			}
			return fmt.Sprintf("U+%04X", r), true
		}
		before = r
	}
	return "", false
}

// marked writes invisible characters as escapes.
func marked(s string) string {
	var out strings.Builder
	var sight text.Sight
	for _, r := range s {
		if sight.Hidden(r) {
			out.WriteString(text.EscapeRune(r))
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

// unseen drops what the parser has already reported of the same place.
func unseen(problems, more pipeline.Problems) pipeline.Problems {
	return slices.DeleteFunc(more, func(p pipeline.Problem) bool {
		return slices.ContainsFunc(problems, func(q pipeline.Problem) bool { return q.Position == p.Position && q.Rule == strictyaml.RuleInvisible })
	})
}
