package variables

import (
	"fmt"
	"regexp"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/strictyaml"
)

// RuleSecret is a value that looks like a credential.
const RuleSecret = "looks-like-a-secret"

// credentials are the forms in which providers issue keys and tokens. An id of
// an access key is no secret by itself, but the secret is seldom far.
var credentials = []struct {
	what string
	form *regexp.Regexp
}{
	{"the id of an AWS access key", regexp.MustCompile(`\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b`)},
	{"a token of GitHub", regexp.MustCompile(`\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{30,})`)},
	{"a token of GitLab", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`)},
	{"a token of Slack", regexp.MustCompile(`\bxox[abeprs]-[A-Za-z0-9-]{10,}`)},
	{"an API key of Google", regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{35}\b`)},
	{"a private key", regexp.MustCompile(`-----BEGIN [A-Z ]*PRIVATE KEY-----`)},
	{"a key of Stripe", regexp.MustCompile(`\b[rs]k_live_[A-Za-z0-9]{16,}`)},
	{"a password in a URL", regexp.MustCompile(`://[^/@:\s]+:[^/@\s]+@`)},
}

// checkSecrets warns of credentials: the file is in a repository, and its values
// reach plans and comments. The value is not repeated.
func checkSecrets(file string, root *strictyaml.Node) pipeline.Problems {
	var problems pipeline.Problems
	root.Walk(func(path []string, n *strictyaml.Node) {
		if n.Kind != strictyaml.String {
			return
		}
		for _, c := range credentials {
			if !c.form.MatchString(n.Text) {
				continue
			}
			at, _ := root.Locate(path...)
			at.File = file
			problems = append(problems, pipeline.Problem{
				Position: at, Rule: RuleSecret, Warning: true, Message: fmt.Sprintf("the value looks like %s", c.what),
				Remedy: "keep credentials out of this file and replace this one, since the repository remembers it",
			})
			return
		}
	})
	return problems
}
