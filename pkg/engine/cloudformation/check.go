package cloudformation

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/text"
)

// sections are those of a template.
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
var sections = []string{"AWSTemplateFormatVersion", "Description", "Metadata", "Parameters", "Rules", "Mappings", "Conditions", "Transform", "Hooks", "Resources", "Outputs"}

// parameterType is a type that CloudFormation may know. The last part of those of AWS is not looked at: there
// are new ones.
// Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-supplied-parameter-types.html
var parameterType = text.Pattern(`^(String|Number|CommaDelimitedList|AWS(::\w+){3}|List<(Number|AWS(::\w+){3})>|AWS::SSM::Parameter::Value<(String|CommaDelimitedList|AWS(::\w+){3}|List<(String|AWS(::\w+){3})>)>)$`)

// faults are what CloudFormation would refuse of a template, as far as it can be seen in it.
func (t template) faults() (problems pipeline.Problems) {
	add := func(line int, message, remedy string) {
		problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: t.file, Line: line}, Rule: ruleTemplate, Message: message, Remedy: remedy})
	}
	for i := 0; i+1 < len(t.top.Content); i += 2 {
		if key := t.top.Content[i]; !slices.Contains(sections, key.Value) {
			remedy := "remove it"
			if like := pipeline.Nearest(key.Value, sections); like != "" {
				remedy = fmt.Sprintf("did you mean %q?", like)
			}
			add(key.Line, fmt.Sprintf("templates have no section %s", pipeline.Quote(key.Value)), remedy)
		}
	}
	for _, name := range t.order {
		if p := t.parameters[name]; !parameterType().MatchString(p.kind) {
			add(p.line, fmt.Sprintf("the parameter %s has the type %s, which CloudFormation does not know", name, pipeline.Quote(p.kind)), "give it a type of CloudFormation, such as String")
		}
	}
	if member(t.top, "Transform") != nil {
		return problems // a macro may add resources, and give them what they lack here
	}
	declared := map[string]bool{}
	for name := range t.parameters {
		declared[name] = true
	}
	for _, name := range slices.Sorted(maps.Keys(t.resources)) {
		r := t.resources[name]
		declared[name] = true
		if r.kind == "" {
			add(r.line, fmt.Sprintf("the resource %s has no Type", pipeline.Quote(name)), "give it one")
		}
		if at := r.properties["TemplateURL"]; r.kind == "AWS::CloudFormation::Stack" && at != nil && at.Kind == yaml.ScalarNode && at.ShortTag() == "!!str" && !strings.Contains(at.Value, "://") {
			add(at.Line, fmt.Sprintf("the TemplateURL of %s is a file, and nothing is uploaded", pipeline.Quote(name)), "put the template into a bucket and write its address, or make it a stack of its own in metapipe.yml")
		}
	}
	for _, section := range []string{"Rules", "Conditions", "Resources", "Outputs"} {
		undeclared(member(t.top, section), declared, func(line int, name string) {
			remedy := "declare it"
			if like := pipeline.Nearest(name, slices.Sorted(maps.Keys(declared))); like != "" {
				remedy = fmt.Sprintf("did you mean %q?", like)
			}
			add(line, fmt.Sprintf("the template refers to %s, which is neither a parameter nor a resource of it", pipeline.Quote(name)), remedy)
		})
	}
	return problems
}

// undeclared finds what Ref and Fn::Sub name and the template does not declare.
func undeclared(node *yaml.Node, declared map[string]bool, found func(line int, name string)) {
	if node == nil {
		return
	}
	reference := func(at *yaml.Node) {
		if name := scalar(at); name != "" && !declared[name] && !strings.HasPrefix(name, "AWS::") {
			found(at.Line, name)
		}
	}
	inText := func(at, own *yaml.Node) {
		named := map[string]bool{}
		for name := range members(own) {
			named[name] = true
		}
		for _, one := range substituted().FindAllStringSubmatch(scalar(at), -1) {
			name, _, _ := strings.Cut(strings.TrimSpace(one[1]), ".")
			if !declared[name] && !strings.HasPrefix(name, "AWS::") && !named[name] {
				found(at.Line, name)
			}
		}
	}
	substitution := func(value *yaml.Node) {
		switch {
		case value.Kind == yaml.ScalarNode:
			inText(value, nil)
		case value.Kind == yaml.SequenceNode && len(value.Content) == 2:
			inText(value.Content[0], value.Content[1])
		}
	}
	switch node.Tag {
	case "!Ref":
		reference(node)
	case "!Sub":
		substitution(node)
	}
	if node.Kind == yaml.MappingNode && len(node.Content) == 2 {
		for key, value := range members(node) {
			switch {
			case key == "Ref" && value.Kind == yaml.ScalarNode:
				reference(value)
			case key == "Fn::Sub":
				substitution(value)
			}
		}
	}
	for _, child := range node.Content {
		undeclared(child, declared, found)
	}
}
