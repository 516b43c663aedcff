package cfntest

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// modelFile is the description of the service that AWS gives to its own clients, as the Debian package python3-botocore
// installs it.
const modelFile = "/usr/lib/python3/dist-packages/botocore/data/cloudformation/2010-05-15/service-2.json"

// Model is the service's own description of its requests and answers.
type Model struct {
	Operations map[string]struct {
		Input  *shapeRef
		Output *struct{ Shape, ResultWrapper string }
	}
	Shapes map[string]shape
}

type shapeRef struct{ Shape string }

type shape struct {
	Type     string
	Members  map[string]shapeRef
	Member   *shapeRef
	Required []string
	Enum     []string
	Min, Max *float64
	Pattern  string
}

// newer are members that AWS has added since the model of Debian 12, of 2022, with the type that they have in
// aws-sdk-go-v2.
var newer = map[string]map[string]shape{
	"DescribeChangeSetInput":   {"IncludePropertyValues": {Type: "boolean"}},
	"CreateChangeSetInput":     {"ImportExistingResources": {Type: "boolean"}},
	"ResourceChange":           {"BeforeContext": {Type: "string"}, "AfterContext": {Type: "string"}, "PolicyAction": {Type: "string"}},
	"ResourceTargetDefinition": {"Path": {Type: "string"}, "BeforeValue": {Type: "string"}, "AfterValue": {Type: "string"}, "AttributeChangeType": {Type: "string"}},
}

// FindModel reads the model; nil where it is not installed.
func FindModel() *Model {
	content, err := os.ReadFile(modelFile)
	if err != nil {
		return nil
	}
	var m Model
	if json.Unmarshal(content, &m) != nil || len(m.Operations) == 0 {
		return nil
	}
	// Events of a stack itself have the status of the stack, which the model leaves out.
	status := m.Shapes["ResourceStatus"]
	status.Enum = slices.Concat(status.Enum, m.Shapes["StackStatus"].Enum)
	m.Shapes["ResourceStatus"] = status
	return &m
}

// NeedModel skips a test where the model is not installed, unless METAPIPE_REQUIRE_BOTOCORE is set.
func NeedModel(t *testing.T) *Model {
	t.Helper()
	if m := FindModel(); m != nil {
		return m
	}
	const missing = "cloudformation: there is no " + modelFile + "; install python3-botocore"
	if os.Getenv("METAPIPE_REQUIRE_BOTOCORE") != "" {
		t.Fatal(missing)
	}
	t.Skip(missing)
	return nil
}

// member is the shape of a member of a structure.
func (m *Model) member(structure, name string) (shape, string, bool) {
	if ref, is := m.Shapes[structure].Members[name]; is {
		return m.Shapes[ref.Shape], ref.Shape, true
	}
	added, is := newer[structure][name]
	return added, "", is
}

// CheckRequest says what of a request is not as the model says.
func (m *Model) CheckRequest(action string, form url.Values) []string {
	operation, is := m.Operations[action]
	if !is {
		return []string{"there is no such operation"}
	}
	root := map[string]any{}
	for key, values := range form {
		if key == "Action" || key == "Version" {
			continue
		}
		if len(values) != 1 {
			return []string{key + " is there twice"}
		}
		at := root
		parts := strings.Split(key, ".")
		for _, part := range parts[:len(parts)-1] {
			next, _ := at[part].(map[string]any)
			if next == nil {
				next = map[string]any{}
				at[part] = next
			}
			at = next
		}
		at[parts[len(parts)-1]] = values[0]
	}
	if operation.Input == nil {
		return nil
	}
	return m.checkForm(operation.Input.Shape, m.Shapes[operation.Input.Shape], "", root)
}

func (m *Model) checkForm(name string, s shape, at string, v any) (problems []string) {
	switch s.Type {
	case "structure":
		object, is := v.(map[string]any)
		if !is {
			return []string{at + " is no structure"}
		}
		for key, value := range object {
			member, of, known := m.member(name, key)
			if !known {
				problems = append(problems, at+"."+key+" is not known")
				continue
			}
			problems = append(problems, m.checkForm(of, member, at+"."+key, value)...)
		}
		for _, required := range s.Required {
			if _, has := object[required]; !has {
				problems = append(problems, at+"."+required+" is missing")
			}
		}
	case "list":
		if v == "" {
			return nil
		}
		object, _ := v.(map[string]any)
		items, is := object["member"].(map[string]any)
		if !is {
			return []string{at + " is no list"}
		}
		for i := 1; i <= len(items); i++ {
			item, has := items[strconv.Itoa(i)]
			if !has {
				return append(problems, fmt.Sprintf("%s has no item %d", at, i))
			}
			problems = append(problems, m.checkForm(s.Member.Shape, m.Shapes[s.Member.Shape], fmt.Sprintf("%s[%d]", at, i), item)...)
		}
	default:
		text, is := v.(string)
		if !is {
			return []string{at + " is no text"}
		}
		problems = append(problems, checkScalar(s, at, text)...)
	}
	return problems
}

func checkScalar(s shape, at, text string) (problems []string) {
	wrong := func(what string) { problems = append(problems, fmt.Sprintf("%s is %q: %s", at, text, what)) }
	if len(s.Enum) > 0 && !slices.Contains(s.Enum, text) {
		wrong("not one of " + strings.Join(s.Enum, ", "))
	}
	switch s.Type {
	case "string":
		if s.Min != nil && float64(len(text)) < *s.Min || s.Max != nil && float64(len(text)) > *s.Max {
			wrong("its length does not fit")
		}
		if s.Pattern != "" {
			if pattern, err := regexp.Compile(`^(?:` + s.Pattern + `)$`); err == nil && !pattern.MatchString(text) {
				wrong("it does not match " + s.Pattern)
			}
		}
	case "boolean":
		if text != "true" && text != "false" {
			wrong("no boolean")
		}
	case "integer", "long":
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || s.Min != nil && float64(n) < *s.Min || s.Max != nil && float64(n) > *s.Max {
			wrong("no number that fits")
		}
	case "timestamp":
		if _, err := time.Parse(time.RFC3339, text); err != nil {
			wrong("no time")
		}
	}
	return problems
}

// element is one of an XML document.
type element struct {
	XMLName  xml.Name
	Text     string    `xml:",chardata"`
	Children []element `xml:",any"`
}

// CheckAnswer says what of an answer is not as the model says.
func (m *Model) CheckAnswer(action string, body []byte) []string {
	var root element
	if err := xml.Unmarshal(body, &root); err != nil {
		return []string{err.Error()}
	}
	output := m.Operations[action].Output
	var result *element
	for i, child := range root.Children {
		if output != nil && child.XMLName.Local == output.ResultWrapper {
			result = &root.Children[i]
		} else if child.XMLName.Local != "ResponseMetadata" {
			return []string{"it has " + child.XMLName.Local}
		}
	}
	switch {
	case output == nil:
		return nil
	case result == nil:
		return []string{"it has no " + output.ResultWrapper}
	}
	return m.checkXML(output.Shape, m.Shapes[output.Shape], "", *result)
}

func (m *Model) checkXML(name string, s shape, at string, e element) (problems []string) {
	switch s.Type {
	case "structure":
		seen := map[string]bool{}
		for _, child := range e.Children {
			key := child.XMLName.Local
			member, of, known := m.member(name, key)
			if !known || seen[key] {
				problems = append(problems, at+"."+key+" is not known, or is there twice")
				continue
			}
			seen[key] = true
			problems = append(problems, m.checkXML(of, member, at+"."+key, child)...)
		}
		for _, required := range s.Required {
			if !seen[required] {
				problems = append(problems, at+"."+required+" is missing")
			}
		}
	case "list":
		for i, child := range e.Children {
			if child.XMLName.Local != "member" {
				problems = append(problems, at+" holds "+child.XMLName.Local)
				continue
			}
			problems = append(problems, m.checkXML(s.Member.Shape, m.Shapes[s.Member.Shape], fmt.Sprintf("%s[%d]", at, i), child)...)
		}
	default:
		if len(e.Children) > 0 {
			return []string{at + " is no text"}
		}
		problems = append(problems, checkScalar(s, at, e.Text)...)
	}
	return problems
}
