package kubernetes

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/engine/jsonvalue"
	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// The names in the root of a stack that metapipe knows.
const (
	manifestsDir = "manifests"
	outputsFile  = "outputs.yml"
)

// Bounds of manifests.
const (
	maxManifest  = 2 << 20 // bytes of one file, and of one object filled in
	maxDocuments = 2000
	maxNodes     = 200_000
	maxDepth     = 100
)

// fillError is a place of the manager's files that cannot be filled in.
type fillError struct {
	where   pipeline.Position
	message string
	next    string
	config  []string // the missing key of variables.yml; nil: it is about something else
}

func (e *fillError) Error() string { return e.where.String() + ": " + e.message }

// filled is one place of an object that took a value.
type filled struct {
	path   string // as the API server names it
	where  pipeline.Position
	config []string // the key of variables.yml; nil: another value
}

// values are what placeholders stand for.
type values struct {
	own    map[string]string // customer, environment, stack and so on
	config any               // the customer's
	needed map[string]needed // by stack
	waits  []pipeline.Diagnostic
}

type needed struct {
	outputs map[string]json.RawMessage // nil: the output is not known yet
	unknown bool
}

// filler fills one document in.
type filler struct {
	values *values
	file   string
	// ownOnly: neither customers nor other stacks decide anything.
	ownOnly bool
	// literal: the text holds no placeholders.
	literal bool
	nodes   int
	filled  []filled
}

// decode reads the documents of a YAML file.
func decode(file string, content []byte) (documents []*yaml.Node, err error) {
	if len(content) > maxManifest {
		return nil, &fillError{where: pipeline.Position{File: file}, message: fmt.Sprintf("the file has more than %d bytes", maxManifest), next: "write several files"}
	}
	for decoder := yaml.NewDecoder(bytes.NewReader(content)); ; {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return documents, nil
		}
		if err != nil {
			return nil, &fillError{where: pipeline.Position{File: file, Line: 1}, message: fmt.Sprintf("it is no YAML: %v", err), next: "correct it"}
		}
		if len(documents) == maxDocuments {
			return nil, &fillError{where: pipeline.Position{File: file, Line: document.Line}, message: fmt.Sprintf("the file has more than %d documents", maxDocuments), next: "write several files"}
		}
		if len(document.Content) == 1 && document.Content[0].Tag != "!!null" {
			documents = append(documents, document.Content[0])
		}
	}
}

func (f *filler) fail(n *yaml.Node, next, format string, args ...any) error {
	return &fillError{where: pipeline.Position{File: f.file, Line: n.Line, Column: n.Column}, message: fmt.Sprintf(format, args...), next: next}
}

// fill makes the value of a node. Structure comes from the manager's file alone: a value never
// becomes a key, and its text is not looked at again.
func (f *filler) fill(n *yaml.Node, at []string) (any, error) {
	if f.nodes++; f.nodes > maxNodes || len(at) > maxDepth {
		return nil, f.fail(n, "make it smaller", "the document is too large or too deep")
	}
	switch n.Kind {
	case yaml.AliasNode:
		return f.fill(n.Alias, at)
	case yaml.MappingNode:
		object := make(map[string]any, len(n.Content)/2)
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if key.Kind == yaml.MappingNode {
				return nil, f.fail(n, unquotedNext, unquoted)
			}
			if key.Kind != yaml.ScalarNode || key.Tag == "!!merge" || strings.Contains(key.Value, "{{") && !f.literal {
				return nil, f.fail(key, "write the key as plain text, and put a placeholder that is a value in quotes", "keys are plain text, without placeholders and <<")
			}
			if _, twice := object[key.Value]; twice {
				return nil, f.fail(key, "keep one of the two", "the key %q is there twice", key.Value)
			}
			v, err := f.fill(value, append(at, key.Value))
			if err != nil {
				return nil, err
			}
			object[key.Value] = v
		}
		return object, nil
	case yaml.SequenceNode:
		items := []any{}
		for i, item := range n.Content {
			v, err := f.fill(item, append(at, strconv.Itoa(i)))
			if err != nil {
				return nil, err
			}
			items = append(items, v)
		}
		return items, nil
	case yaml.ScalarNode:
		if strings.Contains(n.Value, "{{") && !f.literal {
			return f.placeholders(n, at)
		}
		return f.scalar(n)
	}
	return nil, f.fail(n, "correct it", "it is no value")
}

// scalar is a value that the manager wrote.
func (f *filler) scalar(n *yaml.Node) (any, error) {
	switch n.Tag {
	case "!!null":
		return nil, nil
	case "!!bool":
		var b bool
		err := n.Decode(&b)
		return b, err
	case "!!int", "!!float":
		var v any
		if err := n.Decode(&v); err != nil {
			return nil, f.fail(n, "correct it", "%q is no number", n.Value)
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return nil, f.fail(n, "correct it", "%q is no number that JSON has", n.Value)
		}
		return json.Number(raw), nil
	case "!!str", "!!timestamp":
		return n.Value, nil
	}
	return nil, f.fail(n, "remove the tag", "the tag %s is not supported", n.Tag)
}

// isIdentity reports whether a place says which object it is: no value of a customer or of
// another stack may stand there.
func isIdentity(at []string) bool {
	switch len(at) {
	case 0:
		return true
	case 1:
		return at[0] == "apiVersion" || at[0] == "kind" || at[0] == "metadata"
	case 2:
		return at[0] == "metadata" && (at[1] == "name" || at[1] == "namespace" || at[1] == "generateName")
	}
	return false
}

// placeholders fills in a text. One that is a placeholder as a whole takes the value with its
// type; inside of other text there are only texts, numbers, true and false.
func (f *filler) placeholders(n *yaml.Node, at []string) (any, error) {
	var out strings.Builder
	for first, rest := true, n.Value; ; first = false {
		before, after, found := strings.Cut(rest, "{{")
		out.WriteString(before)
		if !found {
			return out.String(), nil
		}
		inner, behind, closed := strings.Cut(after, "}}")
		if !closed {
			return nil, f.fail(n, openNext, "a placeholder does not end")
		}
		rest = behind
		if inner = strings.TrimSpace(inner); inner == `"{{"` {
			out.WriteString("{{")
			continue
		}
		value, own, config, err := f.lookUp(n, inner)
		if err != nil {
			return nil, err
		}
		if (isIdentity(at) || f.ownOnly) && !own {
			return nil, f.fail(n, identityNext,
				"{{ %s }} stands where the manifest says which object it is, which only the manager may say", inner)
		}
		f.filled = append(f.filled, filled{fieldPath(at), pipeline.Position{File: f.file, Line: n.Line}, config})
		if first && before == "" && rest == "" { // the whole value
			return clone(value), nil
		}
		switch v := value.(type) {
		case string:
			out.WriteString(v)
		case json.Number:
			out.WriteString(v.String())
		case bool:
			out.WriteString(strconv.FormatBool(v))
		default:
			return nil, f.fail(n, "let the placeholder be the whole value", "{{ %s }} is %s, which cannot stand inside of a text", inner, kindOf(value))
		}
	}
}

func kindOf(value any) string {
	switch value.(type) {
	case map[string]any:
		return "a map"
	case []any:
		return "a list"
	case nil:
		return "nothing"
	}
	return "a value"
}

// fieldPath is a path as the API server names it.
func fieldPath(at []string) string {
	var out strings.Builder
	for _, step := range at {
		if _, err := strconv.Atoi(step); err == nil {
			out.WriteString("[" + step + "]")
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('.')
		}
		out.WriteString(step)
	}
	return out.String()
}

var placeholderPattern = text.Pattern(`^([A-Za-z][A-Za-z0-9-]*)((?:\.[A-Za-z0-9_-]+)*)(?:\s*\|\s*default\s+(\S.*))?$`)

// What to do about placeholders that are not understood.
const (
	openNext     = "write `{{ \"{{\" }}` where the text itself holds `{{`"
	identityNext = "write it there, with `{{ customer }}`, `{{ environment }}` and `{{ stack }}` at most"
	unquoted     = "a map is the key of a map, as YAML reads a placeholder without quotes"
	unquotedNext = "write the placeholder in quotes: `\"{{ config.KEY }}\"`"
)

// placeholderNext is what to do about a placeholder that is none.
func placeholderNext(inner string) string {
	if strings.Contains(inner, "|") {
		return "the only filter is default, with a value: `{{ config.KEY | default VALUE }}`"
	}
	return "use config.KEY, a needed stack with .OUTPUT, customer, environment, stack or metapipe.source_repo; " + openNext
}

// isOwn reports whether metapipe itself has a value of this name.
func isOwn(name string) bool {
	return slices.Contains([]string{"metapipe.customer", "metapipe.environment", "metapipe.stack", "metapipe.source_repo"}, name)
}

// lookUp is the value of a placeholder. own reports one that no customer and no other stack
// decides.
func (f *filler) lookUp(n *yaml.Node, inner string) (value any, own bool, config []string, err error) {
	m := placeholderPattern().FindStringSubmatch(inner)
	unknown := func() (any, bool, []string, error) {
		return nil, false, nil, f.fail(n, placeholderNext(inner), "{{ %s }} is no placeholder", inner)
	}
	if m == nil {
		return unknown()
	}
	head, tail := m[1], strings.Split(strings.TrimPrefix(m[2], "."), ".")
	if m[2] == "" {
		tail = nil
	}
	fallback := func() (any, bool, []string, error) {
		var v yaml.Node
		if err := yaml.Unmarshal([]byte(m[3]), &v); err != nil || len(v.Content) != 1 || v.Content[0].Kind != yaml.ScalarNode {
			return nil, false, nil, f.fail(n, `write a text, a number, true or false`, "the default of {{ %s }} is no plain value", inner)
		}
		value, err := f.scalar(v.Content[0])
		return value, false, nil, err
	}
	switch {
	case head == "config":
		at, found := f.values.config, true
		for _, step := range tail {
			if at, found = member(at, step); !found {
				break
			}
		}
		if found {
			return at, false, tail, nil
		}
		if m[3] != "" {
			return fallback()
		}
		return nil, false, nil, &fillError{where: pipeline.Position{File: f.file, Line: n.Line}, message: fmt.Sprintf("{{ %s }} has no value: %s is not set", inner, strings.Join(tail, ".")),
			config: tail, next: "give it a default in the manifest: `{{ " + head + m[2] + " | default VALUE }}`"}
	case len(tail) == 0 || head == "metapipe" && len(tail) == 1:
		if text, known := f.values.own[strings.Join(append([]string{head}, tail...), ".")]; known && m[3] == "" {
			return text, true, nil, nil
		}
		return unknown()
	}
	stack, known := f.values.needed[head]
	if !known {
		return unknown()
	}
	raw, there := stack.outputs[tail[0]]
	if there && raw == nil || !there && stack.unknown {
		at := pipeline.Position{File: f.file, Line: n.Line}
		f.values.waits = append(f.values.waits, pipeline.Diagnostic{Warning: true, Where: at,
			Summary: fmt.Sprintf("%s depends on the output %s of %s that is not known yet", at, tail[0], head)})
		return "", false, nil, nil
	}
	decoded, err := jsonvalue.Decode(raw)
	found := there && err == nil
	for _, step := range tail[1:] {
		if found {
			decoded, found = member(decoded, step)
		}
	}
	switch {
	case found:
		return decoded, false, nil, nil
	case m[3] != "":
		return fallback()
	}
	return nil, false, nil, f.fail(n, "put it out there, or name another one", "the stack %s has no output %s", head, strings.Join(tail, "."))
}

func member(value any, step string) (any, bool) {
	switch v := value.(type) {
	case map[string]any:
		m, found := v[step]
		return m, found
	case []any:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(v) {
			return v[i], true
		}
	}
	return nil, false
}

// newValues are what the placeholders of a job stand for.
func newValues(job pipeline.Job, config map[string]json.RawMessage) (*values, error) {
	v := &values{needed: map[string]needed{}, own: map[string]string{
		"customer": string(job.Customer.Name), "environment": string(job.Environment), "stack": string(job.Stack),
	}}
	for _, name := range []string{"customer", "environment", "stack"} {
		v.own["metapipe."+name] = v.own[name]
	}
	v.own["metapipe.source_repo"] = job.Customer.Repository.String()
	object := map[string]any{}
	for key, raw := range config {
		if key == "environments" {
			continue
		}
		value, err := jsonvalue.Decode(raw)
		if err != nil {
			return nil, err
		}
		object[key] = value
	}
	v.config = object
	for _, n := range job.Needed {
		if n.Stack == "config" || n.Stack == "metapipe" {
			return nil, pipeline.Usagef("the stack %s needs a stack with the name %s, which stands for something else in placeholders", job.Stack, n.Stack).Nextf("give that stack another name in metapipe.yml")
		}
		if err := pipeline.CheckOutputs(n.Values); err != nil {
			return nil, fmt.Errorf("read the outputs of %s: %w", n.Stack, err)
		}
		one := needed{outputs: map[string]json.RawMessage{}, unknown: n.Unknown != ""}
		for _, o := range n.Values {
			one.outputs[o.Name] = o.Value
		}
		v.needed[string(n.Stack)] = one
	}
	return v, nil
}

// manifestFiles are the paths of the manifests of a root, relative to dir, in their order.
func manifestFiles(dir, root string) ([]string, error) {
	var files []string
	base := filepath.Join(dir, filepath.FromSlash(root), manifestsDir)
	err := filepath.WalkDir(base, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !slices.Contains([]string{".yml", ".yaml"}, filepath.Ext(file)) {
			return err
		}
		rel, err := filepath.Rel(dir, file)
		files = append(files, filepath.ToSlash(rel))
		return err
	})
	slices.Sort(files)
	return files, err
}

// render fills in the manifests of the root of a tree.
func (v *values) render(tree, root string) ([]*object, error) {
	files, err := manifestFiles(tree, root)
	if err != nil {
		return nil, err
	}
	var objects []*object
	for _, file := range files {
		content, err := os.ReadFile(filepath.Join(tree, filepath.FromSlash(file)))
		if err != nil {
			return nil, err
		}
		documents, err := decode(file, content)
		if err != nil {
			return nil, err
		}
		for _, document := range documents {
			o, err := v.object(file, document)
			if err != nil {
				return nil, err
			}
			objects = append(objects, o)
		}
	}
	return objects, nil
}

// namePattern is what the names of objects and namespaces may be; a kind may demand less.
var namePattern = text.Pattern(`^[A-Za-z0-9]([A-Za-z0-9._:-]{0,251}[A-Za-z0-9])?$`)

func (v *values) object(file string, document *yaml.Node) (*object, error) {
	f := &filler{values: v, file: file}
	value, err := f.fill(document, nil)
	if err != nil {
		return nil, err
	}
	manifest, ok := value.(map[string]any)
	o := &object{ref: refOf(manifest), manifest: manifest, where: pipeline.Position{File: file, Line: document.Line}, filled: f.filled}
	next := "write one object per document, with apiVersion, kind and metadata.name"
	switch metadata, isMap := manifest["metadata"].(map[string]any); {
	case !ok || o.APIVersion == "" || o.Kind == "" || !isMap:
		return nil, f.fail(document, next, "the document is no object of Kubernetes")
	case strings.HasSuffix(o.Kind, "List") && manifest["items"] != nil:
		return nil, f.fail(document, next, "the document is a list of objects")
	case !namePattern().MatchString(o.Name) || o.Namespace != "" && !namePattern().MatchString(o.Namespace) || metadata["generateName"] != nil:
		return nil, f.fail(document, next, "%s has no name of its own, or one that no object can have", o.Kind)
	}
	if raw, err := json.Marshal(manifest); err != nil || len(raw) > maxManifest {
		return nil, f.fail(document, "make it smaller", "%s is larger than %d bytes", o.ref, maxManifest)
	}
	for _, name := range []string{partOfLabel, "applyset.kubernetes.io/id"} {
		if at(manifest, "metadata", "labels", name) != nil {
			return nil, f.fail(document, "leave it out", "%s has the label %s, which metapipe sets", o.ref, name)
		}
	}
	return o, nil
}

// inRoot is a file of the root, relative to the manager directory.
func inRoot(root, name string) string { return path.Join(root, name) }
