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
	outputs    map[string]map[string]bool // the names that their values are made from
	secret     map[string]bool            // outputs that hold what a secret parameter holds
	chosen     []chosen
	top        *yaml.Node
	reads      reads
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
	// properties are the nodes of the template, and made the names that each is made from.
	properties map[string]*yaml.Node
	made       map[string]map[string]bool
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

// parseTemplate reads a template, which is YAML or JSON with the short forms of functions as tags.
func parseTemplate(raw []byte) (template, error) {
	t := template{raw: raw, parameters: map[string]parameter{}, resources: map[string]resource{}, outputs: map[string]map[string]bool{}, secret: map[string]bool{}}
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
		r := resource{kind: scalar(member(node, "Type")), line: node.Line, deletion: scalar(member(node, "DeletionPolicy")), secret: map[string]bool{}, properties: map[string]*yaml.Node{}, made: map[string]map[string]bool{}}
		for property, value := range members(member(node, "Properties")) {
			r.properties[property], r.made[property] = value, t.reads.namesIn(value)
		}
		t.resources[name] = r
	}
	if len(t.resources) == 0 {
		return t, errors.New("it declares no Resources")
	}
	for name, node := range members(member(top, "Outputs")) {
		t.outputs[name] = t.reads.namesIn(member(node, "Value"))
	}
	t.hide(noEcho)
	split := map[string]bool{}
	t.reads.splits(top, split)
	for name, p := range t.parameters {
		p.split = split[name]
		t.parameters[name] = p
	}
	t.chosen = t.reads.chosenReferences(top, t.parameters)
	return t, nil
}

// hide marks the properties and outputs that are made from one of the parameters.
func (t *template) hide(parameters map[string]bool) {
	for _, r := range t.resources {
		for property, made := range r.made {
			r.secret[property] = anyOf(made, parameters)
		}
	}
	for name, made := range t.outputs {
		t.secret[name] = anyOf(made, parameters)
	}
}

func anyOf(made, names map[string]bool) bool {
	for name := range made {
		if names[name] {
			return true
		}
	}
	return false
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
