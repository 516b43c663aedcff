package variables

import (
	"bytes"
	"fmt"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

const firstComment = "What this repository needs from the managed infrastructure service. Change the values, and open a pull request:\nits comment shows the plan."

// First is a variables.yml to begin with: it has every environment, and what the schema requires. A schema for which no
// valid sample is found gives a file that still has to be filled in, and says so.
func First(schema *Schema, environments []pipeline.Environment) ([]byte, error) {
	if schema == nil || schema.Sample(environmentsKey, sampleName(environments)) != "" {
		first, err := write(sample(schema, sampleName(environments)), firstComment, schema, environments)
		if err != nil {
			return nil, err
		}
		// An example can be valid for the schema and not in the file, such as one with a placeholder that does not exist.
		if _, problems := ParseFor(pipeline.VariablesFile, first, pipeline.Limits{}, schema, environments); problems.Err() == nil {
			return first, nil
		}
	}
	return write(environmentsKey+": {"+sampleName(environments)+": {}}", firstComment+"\nThe schema of the service asks for more keys: `metapipe validate` names them.", nil, environments)
}

// write makes the file from a sample on one line, which has one of the environments. The others get samples of their own.
func write(text, comment string, schema *Schema, environments []pipeline.Environment) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil, fmt.Errorf("make a first %s: %w", pipeline.VariablesFile, err)
	}
	root := document.Content[0]
	at := valueOf(root, environmentsKey)
	if at != nil && at.Kind == yaml.MappingNode {
		for _, env := range environments[min(1, len(environments)):] {
			value := yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
			if schema == nil && len(at.Content) > 1 {
				value = *at.Content[1]
			} else if entry := schema.SampleEntry(environmentsKey, string(env)); entry != "" {
				var more yaml.Node
				if err := yaml.Unmarshal([]byte("{"+entry+"}"), &more); err != nil {
					return nil, fmt.Errorf("make a first %s: %w", pipeline.VariablesFile, err)
				}
				value = *more.Content[0].Content[1]
			}
			at.Content = append(at.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: string(env)}, &value)
		}
	}
	if i := slices.IndexFunc(root.Content, func(n *yaml.Node) bool { return n.Value == environmentsKey }); i >= 0 && at != nil { // comes last, as people write it
		key := root.Content[i]
		root.Content = append(slices.Delete(root.Content, i, i+2), key, at)
	}
	block(root)
	root.HeadComment = comment
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return nil, fmt.Errorf("make a first %s: %w", pipeline.VariablesFile, err)
	}
	return b.Bytes(), nil
}

func valueOf(object *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(object.Content); i += 2 {
		if object.Content[i].Value == key {
			return object.Content[i+1]
		}
	}
	return nil
}

// block writes what holds something over several lines.
func block(n *yaml.Node) {
	if len(n.Content) > 0 {
		n.Style &^= yaml.FlowStyle
	}
	for _, part := range n.Content {
		block(part)
	}
}
