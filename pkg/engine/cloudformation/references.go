package cloudformation

import (
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/text"
)

// reads finds what the values of a template are made from. A template holds no alias, so it is a tree, as deep as
// the parser of YAML allows, and each question looks at each node once.
type reads struct{ looks int } // nodes that were looked at

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

// substituted are the names in the text of Fn::Sub.
var substituted = text.Pattern(`\$\{([^!}][^}]*)\}`)

// namesIn are the names that a value is made from, by Ref or Fn::Sub.
func (r *reads) namesIn(node *yaml.Node) map[string]bool {
	names := map[string]bool{}
	r.collect(node, names)
	return names
}

func (r *reads) collect(node *yaml.Node, names map[string]bool) {
	if node == nil {
		return
	}
	r.looks++
	for _, name := range namesOf(node) {
		names[name] = true
	}
	for _, child := range node.Content {
		r.collect(child, names)
	}
}

// namesOf are the names that a node itself reads, whatever its children do.
func namesOf(node *yaml.Node) (names []string) {
	substitution := func(value *yaml.Node) {
		if value.Kind == yaml.SequenceNode && len(value.Content) > 0 {
			value = value.Content[0]
		}
		for _, found := range substituted().FindAllStringSubmatch(scalar(value), -1) {
			names = append(names, strings.TrimSpace(found[1]))
		}
	}
	switch node.Tag {
	case "!Ref":
		names = append(names, scalar(node))
	case "!Sub":
		substitution(node)
	}
	for key, value := range members(node) {
		switch key {
		case "Ref":
			names = append(names, scalar(value))
		case "Fn::Sub":
			substitution(value)
		}
	}
	return names
}

// splits adds the names from which Fn::Split takes apart what is made.
func (r *reads) splits(node *yaml.Node, names map[string]bool) {
	if node == nil {
		return
	}
	if node.Tag == "!Split" {
		r.collect(node, names) // also what is below a Split in it
		return
	}
	r.looks++
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 1 && node.Content[i-1].Value == "Fn::Split" {
			r.collect(child, names)
			continue
		}
		r.splits(child, names)
	}
}

// chosen is a place where a dynamic reference is built from a parameter.
type chosen struct {
	line      int
	parameter string
}

// reference is a dynamic reference in the text of Fn::Sub.
var reference = text.Pattern(`\{\{resolve:(\$\{[^}]*\}|[^}])*`)

// chosenReferences are the dynamic references that are built from one of the parameters, by Fn::Sub or Fn::Join.
// One with AllowedValues chooses among those of the template.
func (r *reads) chosenReferences(top *yaml.Node, parameters map[string]parameter) []chosen {
	f := &chosenFinder{reads: r, parameters: parameters, inside: map[*yaml.Node]int{}, seen: map[chosen]bool{}}
	f.look(top, 0)
	return f.all
}

type chosenFinder struct {
	reads      *reads
	parameters map[string]parameter
	inside     map[*yaml.Node]int // nodes that become a part of a reference, and its line
	seen       map[chosen]bool
	all        []chosen
}

func (f *chosenFinder) add(line int, name string) {
	p, is := f.parameters[name]
	if one := (chosen{line, name}); is && !isOwn(name) && (len(p.allowed) == 0 || p.isList()) && !f.seen[one] {
		f.seen[one] = true
		f.all = append(f.all, one)
	}
}

// look looks at a node and what is below it. within is the line of the reference that the node is a part of; 0: it is
// part of none.
func (f *chosenFinder) look(node *yaml.Node, within int) {
	f.reads.looks++
	if line := f.inside[node]; line > 0 && within == 0 {
		within = line
	}
	if within > 0 {
		for _, name := range namesOf(node) {
			f.add(within, name)
		}
	}
	if node.Tag == "!Sub" {
		f.substitution(node)
	}
	for key, value := range members(node) {
		if key == "Fn::Sub" {
			f.substitution(value)
		}
	}
	if node.Kind == yaml.SequenceNode {
		f.parts(node)
	}
	for _, child := range node.Content {
		f.look(child, within)
	}
}

// substitution looks at the text of Fn::Sub, and at the names beside it.
func (f *chosenFinder) substitution(value *yaml.Node) {
	at, own := value, (*yaml.Node)(nil)
	if value.Kind == yaml.SequenceNode && len(value.Content) == 2 {
		at, own = value.Content[0], value.Content[1]
	}
	named := map[string][]*yaml.Node{}
	for name, node := range members(own) {
		named[name] = append(named[name], node)
	}
	for _, made := range reference().FindAllString(scalar(at), -1) {
		for _, one := range substituted().FindAllStringSubmatch(made, -1) {
			name := strings.TrimSpace(one[1])
			for _, of := range named[name] {
				f.inside[of] = at.Line
			}
			if named[name] == nil {
				f.add(at.Line, name)
			}
		}
	}
}

// parts looks at the parts of Fn::Join: what stands behind the beginning of a reference is in it.
func (f *chosenFinder) parts(list *yaml.Node) {
	open := false
	for _, part := range list.Content {
		if open {
			f.inside[part] = part.Line
		}
		if begins, ends := strings.LastIndex(scalar(part), "{{resolve:"), strings.LastIndex(scalar(part), "}}"); begins >= 0 || ends >= 0 {
			open = begins > ends
		}
	}
}
