package strictyaml

import (
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

var (
	// unquotedPattern finds the value with a placeholder in a line that has no quotes before it.
	unquotedPattern = text.Pattern(`^[^"'#]*?[:\-] +(\{\{?\s*[A-Za-z_. -]*\}.*?)[ \t]*(?:[ \t]#.*)?\r?$`)
	oneBrace        = text.Pattern(`(^|[^{])\{\s*environment\s*\}([^}]|$)`)
)

// Short cuts text from a stranger to a length that fits into a message, and removes
// credentials: who reads the message may not read the file.
func Short(s string) string {
	const limit = 60
	s = pipeline.WithoutCredentials(s)
	return pipeline.Clip(s, limit+1)
}

// quoteRemedy shows the value of a line in quotes.
func quoteRemedy(line string) string {
	m := unquotedPattern().FindStringSubmatch(line)
	if m == nil || strings.ContainsAny(line[:strings.Index(line, "{{")+1], "[,") || strings.Count(m[1], "{") != strings.Count(m[1], "}") {
		return `put the whole value in quotes: "{{ environment }}"`
	}
	return "put the whole value in quotes: " + Quote(oneBrace().ReplaceAllString(m[1], "${1}{{ environment }}${2}"))
}

// Quote writes a text in the quotes that need no escapes, so that it can be copied.
func Quote(s string) string {
	s = Short(s)
	if strings.ContainsAny(s, "\"\\") {
		return "'" + strings.ReplaceAll(s, "'", "''") + "'"
	}
	return "\"" + s + "\""
}
