package variables

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// RuleSameEnvironment is of two environments that are one to GitHub.
const RuleSameEnvironment = "same-environment"

// sameEnvironments finds names that differ by case alone. To GitHub they are one
// environment, with one set of reviewers.
// https://docs.github.com/actions/how-tos/deploy/configure-and-manage-deployments/manage-environments
func (d *Document) sameEnvironments(all *strictyaml.Node) (problems pipeline.Problems) {
	first := make(map[string]strictyaml.Entry, len(all.Entries))
	for _, e := range all.Entries {
		folded := strings.ToLower(strings.ToUpper(e.Key)) // both: some letters have two lower cases
		other, taken := first[folded]
		if !taken {
			first[folded] = e
			continue
		}
		problems = append(problems, d.problem(e.KeyPlace(), RuleSameEnvironment,
			fmt.Sprintf("the environment %q is the same to GitHub as %q of line %d, since names are not case-sensitive there", strictyaml.Short(e.Key), strictyaml.Short(other.Key), other.Line),
			"keep one of them, or give one another name")...)
	}
	return problems
}
