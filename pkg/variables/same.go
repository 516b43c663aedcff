package variables

import (
	"fmt"
	"strings"

	"golang.org/x/text/unicode/norm"

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

// layeredKeys compares the keys of each environment with those of the top level, which
// they override by name. A key in another Unicode form than the one it means would leave
// one of the two values without effect; a key that only looks alike may be meant so.
func (d *Document) layeredKeys() (problems pipeline.Problems) {
	environments, _ := d.root.Entry(environmentsKey)
	if environments.Value == nil || environments.Value.Kind != strictyaml.Object {
		return nil
	}
	same, similar := make(map[string]strictyaml.Entry), make(map[string]strictyaml.Entry)
	for _, e := range d.root.Entries {
		same[norm.NFC.String(e.Key)] = e
		similar[looks(e.Key)] = e
	}
	for _, env := range environments.Value.Entries {
		for _, e := range env.Value.Entries {
			if _, overrides := d.root.Entry(e.Key); overrides {
				continue
			}
			key := strictyaml.Short(e.Key)
			if top, found := same[norm.NFC.String(e.Key)]; found {
				problems = append(problems, d.problem(e.KeyPlace(), strictyaml.RuleDuplicateKey,
					fmt.Sprintf("the key %q is the key on line %d in another Unicode form, so it does not override that one", key, top.Line),
					"write both keys in the form NFC; most editors do when you type them again")...)
			} else if top, found := similar[looks(e.Key)]; found {
				problems = append(problems, placeholderProblem(d.file, e.KeyPlace(), RuleSimilarKey,
					fmt.Sprintf("the key %q looks like %q of line %d, and does not override it", key, strictyaml.Short(top.Key), top.Line),
					fmt.Sprintf("write %q if it is the same setting, or give one another name", strictyaml.Short(top.Key))))
			}
		}
	}
	return problems
}
