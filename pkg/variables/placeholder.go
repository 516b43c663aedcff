package variables

import (
	"fmt"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
	"github.com/metapipe/metapipe/pkg/text"
)

// The one placeholder, with any inner spacing, and everything that looks like one.
var (
	environmentPlaceholder = text.Pattern(`\{\{\s*environment\s*\}\}`)
	anyPlaceholder         = text.Pattern(`\{\{([^{}]*)\}\}`)
	unfinishedPlaceholder  = text.Pattern(`\{\{?\s*environment\s*\}?\}?`)
)

const placeholderRemedy = `the only placeholder is "{{ environment }}"`

// substituted returns root with the placeholder filled in, in values only.
func substituted(root *strictyaml.Node, env pipeline.Environment) *strictyaml.Node {
	return root.MapText(func(s string) string { return fill(s, string(env)) })
}

func fill(s, env string) string {
	if !strings.Contains(s, "{{") {
		return s
	}
	return environmentPlaceholder().ReplaceAllLiteralString(s, env)
}

// checkPlaceholders reports placeholders that would not be filled in, and
// whether there are any that would.
func checkPlaceholders(file string, root *strictyaml.Node) (problems pipeline.Problems, found bool) {
	root.Walk(func(path []string, n *strictyaml.Node) {
		for _, e := range n.Entries {
			if anyPlaceholder().MatchString(e.Key) {
				problems = append(problems, placeholderProblem(file, e.KeyPlace(), RulePlaceholderInKey,
					fmt.Sprintf("the key %q stays as it is: placeholders are filled in values only", strictyaml.Short(e.Key)), "use a fixed key"))
			}
		}
		if n.Kind != strictyaml.String || !strings.Contains(n.Text, "{") {
			return
		}
		found = found || environmentPlaceholder().MatchString(n.Text)
		if p, ok := checkText(n.Text); ok {
			at, _ := root.Locate(path...)
			p.File, p.Line, p.Column = file, at.Line, at.Column
			problems = append(problems, p)
		}
	})
	return problems, found
}

// checkText looks at a text as it will be after substitution, so that the
// result never holds a placeholder that a second reading would fill in.
func checkText(s string) (pipeline.Problem, bool) {
	rest := fill(s, "environment")
	if m := anyPlaceholder().FindStringSubmatch(rest); m != nil {
		name := strings.TrimSpace(m[1])
		remedy := placeholderRemedy
		if name == "environment" {
			return pipeline.Problem{Rule: RuleUnknownPlaceholder, Message: "a placeholder stands inside further braces", Remedy: `write "{{ environment }}" with two braces on each side`}, true
		}
		if strings.EqualFold(name, "environment") || pipeline.Nearest(name, []string{"environment"}) != "" {
			remedy = `did you mean "{{ environment }}"?`
		}
		return pipeline.Problem{Rule: RuleUnknownPlaceholder, Message: fmt.Sprintf("unknown placeholder %q", "{{ "+strictyaml.Short(name)+" }}"), Remedy: remedy}, true
	}
	if m := unfinishedPlaceholder().FindString(rest); strings.HasPrefix(m, "{") && (strings.HasPrefix(m, "{{") || strings.HasSuffix(m, "}}")) {
		p := placeholderProblem("", pipeline.Position{}, RuleUnfinishedPlaceholder, fmt.Sprintf("%q looks like a placeholder and is not one", m), placeholderRemedy)
		return p, true
	}
	return pipeline.Problem{}, false
}

func placeholderProblem(file string, pos pipeline.Position, rule, message, remedy string) pipeline.Problem {
	pos.File = file
	return pipeline.Problem{Position: pos, Rule: rule, Message: message, Remedy: remedy, Warning: true}
}
