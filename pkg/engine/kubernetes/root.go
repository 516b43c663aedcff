package kubernetes

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
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
	ruleObject      = "manifest-object"
	rulePlace       = "manifest-place"
	ruleRender      = "render-files"
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
	all := stacksIn(dir)
	stacks, places, seen := neededBy(all, root), placesOf(all, root), map[ref]pipeline.Position{}
	documentsOf := map[string][]*yaml.Node{}
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
		documentsOf[file] = documents
	}
	scopes := definedScopes(dir, root, all, documentsOf)
	for _, file := range files {
		for _, document := range documentsOf[file] {
			problems = append(problems, checkPlaceholders(file, document, nil, stacks)...)
			if file != inRoot(root, outputsFile) {
				problems = append(problems, checkObject(file, document, seen)...)
				problems = append(problems, checkPlace(file, document, places, scopes)...)
			}
		}
	}
	problems = append(problems, checkRender(dir, root, all)...)
	return problems, problems.Err() == nil
}

// checkRender finds what keeps the composed resources of a stack from being predicted. Paths that lead out of the root
// are reported where metapipe.yml is loaded.
func checkRender(dir, root string, stacks []stackRule) (problems pipeline.Problems) {
	for _, s := range stacks {
		rule := pipeline.RenderRule{Compositions: s.Kubernetes.Render.Compositions, Functions: s.Kubernetes.Render.Functions, Definitions: s.Kubernetes.Render.Definitions}
		bad := func(name string) bool { return pipeline.BadPath(name) != "" }
		if !s.serves(root) || !rule.Declared() || slices.ContainsFunc(slices.Concat(rule.Compositions, rule.Definitions, []string{rule.Functions}), bad) {
			continue
		}
		var place *fillError
		if _, err := readRenderFiles(dir, root, rule); errors.As(err, &place) {
			problems = append(problems, pipeline.Problem{Position: place.where, Rule: ruleRender, Message: "what Crossplane composes cannot be predicted: " + place.message, Remedy: place.next})
		}
	}
	return problems
}

// checkObject finds documents that are no object, and an object that is there twice.
func checkObject(file string, n *yaml.Node, seen map[ref]pipeline.Position) pipeline.Problems {
	at := pipeline.Position{File: file, Line: n.Line, Column: n.Column}
	problem := func(message, next string) pipeline.Problems {
		return pipeline.Problems{{Position: at, Rule: ruleObject, Message: message, Remedy: next}}
	}
	const next = "write one object per document, with apiVersion, kind and metadata.name"
	o, lacks := refOfNode(n)
	if lacks != "" {
		return problem("the document has no "+lacks, next)
	}
	if strings.HasSuffix(o.Kind, "List") && memberOf(n, "items") != nil {
		return problem("the document is a list of objects", next)
	}
	if first, twice := seen[o.key()]; twice {
		return problem(o.Kind+" "+o.Name+" is there twice, first at "+first.String(), "keep one of the two")
	}
	seen[o.key()] = at
	return nil
}

// refOfNode is the object of a document as it is written there, and the path of what it lacks.
func refOfNode(n *yaml.Node) (o ref, lacks string) {
	for _, part := range []struct {
		path []string
		to   *string
	}{{[]string{"apiVersion"}, &o.APIVersion}, {[]string{"kind"}, &o.Kind}, {[]string{"metadata", "namespace"}, &o.Namespace}, {[]string{"metadata", "name"}, &o.Name}} {
		value := n
		for _, step := range part.path {
			value = memberOf(value, step)
		}
		if value != nil {
			*part.to = value.Value
		} else if part.to != &o.Namespace && lacks == "" {
			lacks = strings.Join(part.path, ".")
		}
	}
	return o, lacks
}

// memberOf is the value of a key, where it stands; nil: there is none. An alias has the text of its name, so what it
// stands for takes its place.
func memberOf(n *yaml.Node, name string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == name {
			value := n.Content[i+1]
			if value.Kind == yaml.AliasNode {
				meant := *value.Alias
				meant.Line, meant.Column = value.Line, value.Column
				return &meant
			}
			return value
		}
	}
	return nil
}

// checkPlaceholders finds placeholders that no target can fill in. stacks are those whose outputs
// can be named; nil: they are not known.
func checkPlaceholders(file string, n *yaml.Node, path []string, stacks map[string]bool) (problems pipeline.Problems) {
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
				add("a placeholder does not end", openNext)
			case m == nil, m[1] == "metapipe" && (!isOwn(m[1]+m[2]) || m[3] != ""), m[2] == "" && m[1] != "config" && (!isOwn("metapipe."+m[1]) || m[3] != ""):
				add("{{ "+inner+" }} is no placeholder", placeholderNext(inner))
			case m[2] != "" && m[1] != "metapipe" && m[1] != "config" && stacks != nil && !stacks[m[1]]:
				add("{{ "+inner+" }} names "+m[1]+", which is no stack that this one needs", "list "+m[1]+" in needs of the stack in "+managerFile+", or write `{{ config."+m[1]+m[2]+" }}` where a value of the customer is meant")
			case isIdentity(path) && m[2] != "" && m[1] != "metapipe" || isIdentity(path) && m[1] == "config":
				add("{{ "+inner+" }} stands where the manifest says which object it is, which only the manager may say", identityNext)
			}
		}
	}
	for i, child := range n.Content {
		step := "[]"
		if n.Kind == yaml.MappingNode {
			if i%2 == 0 {
				if child.Kind == yaml.MappingNode {
					return append(problems, pipeline.Problem{Position: pipeline.Position{File: file, Line: n.Line, Column: n.Column}, Rule: rulePlaceholder, Message: unquoted, Remedy: unquotedNext})
				}
				continue
			}
			step = n.Content[i-1].Value
		}
		problems = append(problems, checkPlaceholders(file, child, append(path, step), stacks)...)
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
