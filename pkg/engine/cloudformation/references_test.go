package cloudformation

import (
	"fmt"
	"strings"
	"testing"

	"gopkg.in/yaml.v3"
)

// looksPerNode is how often the questions about a template may look at each of its nodes, all together: each of the
// three once.
const looksPerNode = 3

func countNodes(n *yaml.Node) int {
	count := 1
	for _, child := range n.Content {
		count += countNodes(child)
	}
	return count
}

// nestedAliases is a short template with 2^depth values.
func nestedAliases(depth int) string {
	var out strings.Builder
	out.WriteString("Metadata:\n  a0: &a0 [x, x]\n")
	for i := 1; i <= depth; i++ {
		fmt.Fprintf(&out, "  a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	fmt.Fprintf(&out, "Parameters:\n  S: {Type: String, NoEcho: true}\nResources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: *a%d}}\n", depth)
	return out.String()
}

// nestedSplits is a template where each Fn::Split, and each part of a dynamic reference, holds the next one.
func nestedSplits(depth int) string {
	value := "!Ref S"
	for range depth {
		value = `!Split [",", "{{resolve:", ` + value + "]"
	}
	return "Parameters:\n  S: {Type: String}\n  Other: {Type: String}\nResources:\n  T: {Type: AWS::SNS::Topic, Properties: {DisplayName: " + value + "}}\n"
}

// TestAliases: CloudFormation takes no alias, and a template with one is refused before anything follows it.
func TestAliases(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		template string
		line     int
	}{
		"nested":          {nestedAliases(60), 3},
		"in itself":       {"Metadata:\n  a: &a [*a]\nResources:\n  T: {Type: AWS::SNS::Topic}\n", 2},
		"of a whole part": {"Metadata: &a\n  x: y\nResources:\n  T: {Type: AWS::SNS::Topic, Properties: *a}\n", 4},
		"merged":          {"Metadata: &a\n  x: y\nResources:\n  T:\n    <<: *a\n    Type: AWS::SNS::Topic\n", 5},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			parsed, err := parseTemplate([]byte(test.template))
			if want := fmt.Sprintf("line %d: it holds an alias of YAML", test.line); err == nil || !strings.Contains(err.Error(), want) || parsed.reads.looks > 0 {
				t.Errorf("after %d looks: %v, want %q", parsed.reads.looks, err, want)
			}
		})
	}
}

// TestLooks: whatever a template nests, each question looks at each node once, also as deep as the parser goes.
func TestLooks(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{1, 100, 3000} {
		parsed, err := parseTemplate([]byte(nestedSplits(depth)))
		if err != nil {
			t.Fatal(err)
		}
		if nodes := countNodes(parsed.top); parsed.reads.looks == 0 || parsed.reads.looks > looksPerNode*nodes {
			t.Errorf("depth %d: %d looks at %d nodes", depth, parsed.reads.looks, nodes)
		}
		if !parsed.parameters["S"].split || parsed.parameters["Other"].split || len(parsed.chosen) != 1 || parsed.chosen[0].parameter != "S" {
			t.Errorf("depth %d: S and Other are %+v, and what is chosen is %+v", depth, parsed.parameters, parsed.chosen)
		}
		parsed.hide(map[string]bool{"S": true})
		if !parsed.resources["T"].secret["DisplayName"] {
			t.Errorf("depth %d: the property is not known to hold what S holds", depth)
		}
	}
}
