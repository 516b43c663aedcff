package variables

import (
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// RuleSecret is a value that looks like a credential.
const RuleSecret = "looks-like-a-secret"

// checkSecrets warns of credentials: the file is in a repository, and its values
// reach plans and comments. The value is not repeated.
func checkSecrets(file string, root *strictyaml.Node) pipeline.Problems {
	var problems pipeline.Problems
	root.Walk(func(path []string, n *strictyaml.Node) {
		if n.Kind != strictyaml.String {
			return
		}
		what, found := pipeline.FindCredential(n.Text)
		if !found {
			return
		}
		at, _ := root.Locate(path...)
		at.File = file
		problems = append(problems, pipeline.Problem{
			Position: at, Rule: RuleSecret, Warning: true, Message: fmt.Sprintf("the value looks like %s", what),
			Remedy: "keep credentials out of this file and replace this one, since the repository remembers it",
		})
	})
	return problems
}
