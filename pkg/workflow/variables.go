package workflow

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// RuleUnsetVariable is the rule of an environment variable that a file of the manager names and no workflow sets.
const RuleUnsetVariable = "unset-variable"

// NeededVariable is an environment variable with a secret that a file of the manager names.
type NeededVariable struct {
	Name     string
	Of       string // what needs it, such as "source billing"
	Where    pipeline.Position
	Commands []string // of metapipe that read it
}

// CheckVariables warns of workflows that run a command and do not set a variable that it needs. A runner of one's own
// may set it, so it is no error.
func CheckVariables(root fs.FS, needed []NeededVariable) (problems pipeline.Problems) {
	texts := workflowTexts(root)
	for _, n := range needed {
		sets := regexp.MustCompile(`(?m)^[^#\n]*\b` + regexp.QuoteMeta(n.Name) + `["']?[ \t]*:`)
		var lacking []string
		for name, text := range texts {
			if _, uses := runs(map[string]string{name: text}, n.Commands...); uses && !sets.MatchString(text) {
				lacking = append(lacking, name)
			}
		}
		if len(lacking) == 0 {
			continue
		}
		slices.Sort(lacking)
		problems = append(problems, pipeline.Problem{Position: n.Where, Rule: RuleUnsetVariable, Warning: true,
			Message: fmt.Sprintf("%s needs the environment variable %s, which is not set in %s", n.Of, n.Name, strings.Join(lacking, ", ")),
			Remedy:  fmt.Sprintf("add it to env of the steps that run metapipe %s: %s: ${{ secrets.%s }}", strings.Join(n.Commands, ", "), n.Name, n.Name)})
	}
	return problems
}
