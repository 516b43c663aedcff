package kubernetes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/tree"
	"github.com/metapipe/metapipe/pkg/pipeline"
)

// The rules of what keeps a plan from using a root.
const (
	ruleNoManifests = "no-manifests"
	ruleSyntax      = "manifest-syntax"
	rulePlaceholder = "manifest-placeholder"
)

// CheckRoot implements pipeline.RootReader.
func (*Engine) CheckRoot(dir, root, _ string) (problems pipeline.Problems, parsed bool) {
	files, err := manifestFiles(dir, root)
	if err != nil || len(files) == 0 {
		return pipeline.Problems{{Position: pipeline.Position{File: inRoot(root, manifestsDir)}, Rule: ruleNoManifests, Message: "the root of a stack of Kubernetes holds no manifest",
			Remedy: "write the manifests of the stack there, as files that end in .yaml"}}, false
	}
	if _, err := os.Stat(filepath.Join(dir, filepath.FromSlash(root), outputsFile)); err == nil {
		files = append(files, inRoot(root, outputsFile))
	}
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
		if err != nil {
			problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: file}, Rule: ruleSyntax, Message: "it cannot be read: " + err.Error(), Remedy: "make it a file that can be read"})
			continue
		}
		documents, err := decode(file, content)
		var place *fillError
		if errors.As(err, &place) {
			problems = append(problems, pipeline.Problem{Position: place.where, Rule: ruleSyntax, Message: place.message, Remedy: place.next})
		}
		for _, document := range documents {
			problems = append(problems, checkPlaceholders(file, document, nil)...)
		}
	}
	return problems, problems.Err() == nil
}

// checkPlaceholders finds placeholders that no target can fill in.
func checkPlaceholders(file string, n *yaml.Node, path []string) (problems pipeline.Problems) {
	if len(path) > maxDepth {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		for rest := n.Value; ; {
			_, after, found := strings.Cut(rest, "{{")
			if !found {
				return problems
			}
			inner, behind, closed := strings.Cut(after, "}}")
			inner, rest = strings.TrimSpace(inner), behind
			add := func(message, next string) {
				problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: file, Line: n.Line, Column: n.Column}, Rule: rulePlaceholder, Message: message, Remedy: next})
			}
			m := placeholderPattern().FindStringSubmatch(inner)
			switch {
			case inner == `"{{"`:
			case !closed:
				add("a placeholder does not end", `write {{ "{{" }} where the text itself holds {{`)
			case m == nil, m[2] == "" && m[1] != "config" && m[1] != "customer" && m[1] != "environment" && m[1] != "stack":
				add("{{ "+inner+" }} is no placeholder", `use config.KEY, metapipe.NAME, a needed stack with .OUTPUT, customer, environment or stack; write {{ "{{" }} where the text itself holds {{`)
			case isIdentity(path) && m[2] != "" && m[1] != "metapipe" || isIdentity(path) && m[1] == "config":
				add("{{ "+inner+" }} stands where the manifest says which object it is, which only the manager may say", "write it there, with {{ customer }}, {{ environment }} and {{ stack }} at most")
			}
		}
	}
	for i, child := range n.Content {
		step := "[]"
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				continue
			}
			step = n.Content[i-1].Value
		}
		problems = append(problems, checkPlaceholders(file, child, append(path, step))...)
	}
	return problems
}

// RootVariables implements pipeline.RootReader: manifests take every key, in `config`.
func (*Engine) RootVariables(string, string, string) (map[string]bool, error) { return nil, nil }

// OwnVariable implements pipeline.RootReader: no key of a customer takes the place of anything.
func (*Engine) OwnVariable(string) bool { return false }

// CheckTree implements pipeline.RootReader.
func (*Engine) CheckTree(ctx context.Context, dir, root, stateDir string) (pipeline.Problems, error) {
	return tree.CheckTree(ctx, dir, root, stateDir, nil)
}
