package cloudformation

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// templateNames are the names of the template in the root of a stack. One of them is there.
var templateNames = []string{"template.yml", "template.yaml", "template.json"}

// The limits of CloudFormation, in bytes.
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html
const (
	maxInline    = 51_200
	maxTemplate  = 1 << 20
	maxParameter = 4096
)

// template is what must be known of a template before AWS reads it.
type template struct {
	file       string // slash path in the manager directory
	raw        []byte
	parameters map[string]parameter
	order      []string // of the parameters
	resources  map[string]resource
	outputs    map[string]*yaml.Node // their values
	secret     map[string]bool       // outputs that hold what a secret parameter holds
	chosen     []chosen
	top        *yaml.Node
}

// parameter is one of the template.
type parameter struct {
	kind       string // its type
	hasDefault bool
	noEcho     bool
	allowed    []string
	// split: the template takes its value apart with Fn::Split.
	split bool
	line  int
}

// isSSM reports a parameter whose value is the name of something in Parameter Store.
func (p parameter) isSSM() bool { return strings.HasPrefix(p.kind, "AWS::SSM::Parameter::") }

func (p parameter) isList() bool {
	return p.kind == "CommaDelimitedList" || strings.HasPrefix(p.kind, "List<")
}

// resource is one of the template.
type resource struct {
	kind     string
	line     int
	deletion string          // its DeletionPolicy
	secret   map[string]bool // properties that hold what a secret parameter holds
	// properties are the nodes of the template.
	properties map[string]*yaml.Node
}

// findTemplate finds the template in a root; dir is the manager directory or its copy.
func findTemplate(dir, root string) (string, error) {
	var found []string
	for _, name := range templateNames {
		info, err := os.Stat(filepath.Join(dir, filepath.FromSlash(root), name))
		if err == nil && info.Mode().IsRegular() {
			found = append(found, name)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	switch len(found) {
	case 1:
		return path.Join(root, found[0]), nil
	case 0:
		return "", pipeline.Usagef("the root %q holds no template", root).Nextf("write the template of the stack as %s", path.Join(root, templateNames[0]))
	}
	return "", pipeline.Usagef("the root %q holds several templates: %s", root, strings.Join(found, ", ")).Nextf("keep one of them")
}

// readTemplate reads the template of a root.
func readTemplate(dir, root string) (template, error) {
	file, err := findTemplate(dir, root)
	if err != nil {
		return template{}, err
	}
	raw, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(file)))
	if err != nil {
		return template{}, err
	}
	t, err := parseTemplate(raw)
	t.file = file
	if err != nil {
		return t, pipeline.Usagef("the template %s cannot be read: %v", file, err).Nextf("correct it")
	}
	return t, nil
}

// aliasIn is the line of the first alias; 0: there is none. CloudFormation takes no aliases, and through nested ones a
// short template is endless for whoever follows them.
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-formats.html
func aliasIn(node *yaml.Node) int {
	if node.Kind == yaml.AliasNode {
		return node.Line
	}
	for _, child := range node.Content {
		if line := aliasIn(child); line > 0 {
			return line
		}
	}
	return 0
}

// parseTemplate reads a template, which is YAML or JSON with the short forms of functions as tags.
func parseTemplate(raw []byte) (template, error) {
	t := template{raw: raw, parameters: map[string]parameter{}, resources: map[string]resource{}, outputs: map[string]*yaml.Node{}, secret: map[string]bool{}}
	if len(raw) > maxTemplate {
		return t, fmt.Errorf("it has %d bytes, and CloudFormation takes %d", len(raw), maxTemplate)
	}
	var document yaml.Node
	if err := yaml.NewDecoder(bytes.NewReader(raw)).Decode(&document); err != nil {
		return t, err
	}
	if len(document.Content) != 1 || document.Content[0].Kind != yaml.MappingNode {
		return t, errors.New("it is no mapping")
	}
	top := document.Content[0]
	t.top = top
	if line := aliasIn(top); line > 0 {
		return t, fmt.Errorf("line %d: it holds an alias of YAML, which CloudFormation does not take", line)
	}
	noEcho := map[string]bool{}
	for name, node := range members(member(top, "Parameters")) {
		if !isLogicalID(name) {
			return t, fmt.Errorf("line %d: the parameter %s is named by more than letters and digits", node.Line, pipeline.Quote(name))
		}
		p := readParameter(node)
		if p.kind == "" {
			return t, fmt.Errorf("line %d: the parameter %s has no Type", node.Line, name)
		}
		t.parameters[name] = p
		t.order = append(t.order, name)
		noEcho[name] = p.noEcho
	}
	slices.Sort(t.order)
	for name, node := range members(member(top, "Resources")) {
		t.resources[name] = resource{kind: scalar(member(node, "Type")), line: node.Line, deletion: scalar(member(node, "DeletionPolicy")), secret: map[string]bool{}, properties: nodes(member(node, "Properties"))}
	}
	if len(t.resources) == 0 {
		return t, errors.New("it declares no Resources")
	}
	for name, node := range members(member(top, "Outputs")) {
		t.outputs[name] = member(node, "Value")
	}
	t.hide(noEcho)
	for name, p := range t.parameters {
		p.split = splits(top, map[string]bool{name: true}, 0)
		t.parameters[name] = p
	}
	t.chosen = chosenReferences(top, t.parameters, 0)
	return t, nil
}

// hide marks the properties and outputs that are made from one of the parameters.
func (t *template) hide(parameters map[string]bool) {
	for _, r := range t.resources {
		for property, value := range r.properties {
			r.secret[property] = refers(value, parameters, 0)
		}
	}
	for name, value := range t.outputs {
		t.secret[name] = refers(value, parameters, 0)
	}
}

// splits reports whether Fn::Split takes apart what is made from one of the names.
func splits(node *yaml.Node, names map[string]bool, depth int) bool {
	if node == nil {
		return false // what it stands for is looked at in its place
	}
	if depth > maxDepth || node.Tag == "!Split" && refers(node, names, depth) {
		return true
	}
	if node.Kind == yaml.MappingNode {
		for key, value := range members(node) {
			if key == "Fn::Split" && refers(value, names, depth) {
				return true
			}
		}
	}
	return slices.ContainsFunc(node.Content, func(child *yaml.Node) bool { return splits(child, names, depth+1) })
}

func readParameter(node *yaml.Node) parameter {
	p := parameter{kind: scalar(member(node, "Type")), hasDefault: member(node, "Default") != nil, line: node.Line,
		noEcho: strings.EqualFold(scalar(member(node, "NoEcho")), "true")}
	if list := member(node, "AllowedValues"); list != nil {
		for _, item := range list.Content {
			p.allowed = append(p.allowed, scalar(item))
		}
	}
	return p
}

// isLogicalID reports whether CloudFormation takes the name.
func isLogicalID(s string) bool {
	return s != "" && len(s) <= 255 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
	})
}

// member is the value of a key of a mapping; nil: there is none.
func member(node *yaml.Node, key string) *yaml.Node {
	for name, value := range members(node) {
		if name == key {
			return value
		}
	}
	return nil
}

// members are the keys and values of a mapping, in its order.
func members(node *yaml.Node) func(yield func(string, *yaml.Node) bool) {
	return func(yield func(string, *yaml.Node) bool) {
		if node == nil || node.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !yield(node.Content[i].Value, node.Content[i+1]) {
				return
			}
		}
	}
}

func scalar(node *yaml.Node) string {
	if node == nil || node.Kind != yaml.ScalarNode {
		return ""
	}
	return node.Value
}

// maxDepth bounds the nesting that is looked at: what is deeper counts as one that refers.
const maxDepth = 60

// substituted are the names in the text of Fn::Sub.
var substituted = text.Pattern(`\$\{([^!}][^}]*)\}`)

// refers reports whether a value is made from one of the names, by Ref or Fn::Sub.
func refers(node *yaml.Node, names map[string]bool, depth int) bool {
	if node == nil {
		return false
	}
	if depth > maxDepth {
		return true
	}
	inText := func(text *yaml.Node) bool {
		for _, found := range substituted().FindAllStringSubmatch(scalar(text), -1) {
			if names[strings.TrimSpace(found[1])] {
				return true
			}
		}
		return false
	}
	switch node.Kind {
	case yaml.ScalarNode:
		return node.Tag == "!Ref" && names[node.Value] || node.Tag == "!Sub" && inText(node)
	case yaml.SequenceNode:
		if node.Tag == "!Sub" && len(node.Content) > 0 && inText(node.Content[0]) {
			return true
		}
	case yaml.MappingNode:
		for key, value := range members(node) {
			if key == "Ref" && names[scalar(value)] {
				return true
			}
			if key == "Fn::Sub" && (inText(value) || value.Kind == yaml.SequenceNode && len(value.Content) > 0 && inText(value.Content[0])) {
				return true
			}
		}
	}
	return slices.ContainsFunc(node.Content, func(child *yaml.Node) bool { return refers(child, names, depth+1) })
}
