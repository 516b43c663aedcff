package pipeline

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Narrow reads what the properties of the customer's repository ask for. Each value is
// hostile until it is one of those that are known here. Problems are the customer's to
// correct, and beside them the result is nil. overlap reports whether a version can
// fulfill two constraints.
//
// Without rules in metapipe.yml, properties change nothing and the result is nil.
func (c Customer) Narrow(properties Properties, overlap func(a, b string) bool) (*RequestProperties, Problems) {
	rules := c.Manager.Properties
	if rules == nil {
		return nil, nil
	}
	n := narrowing{customer: c, rules: *rules, overlap: overlap, result: &RequestProperties{Used: []UsedProperty{}}}
	if !properties.Known() {
		n.problem("", "GitHub's answer holds no custom properties that can be read, and nothing is inferred from that",
			"run this again; if it stays so, "+AskProvider)
		return nil, n.problems
	}
	for _, meaning := range PropertyMeanings {
		name := rules.Names[meaning]
		if name == "" || meaning.IsInformation() {
			continue
		}
		value := properties.Get(name)
		n.result.Used = append(n.result.Used, UsedProperty{Meaning: meaning, Name: name, Value: value})
		switch meaning {
		case MeaningTools:
			n.tools(name, value)
		case MeaningVersion:
			n.version(name, value)
		case MeaningApproval:
			n.result.Approval = n.boolean(name, value) == "true" // it removes no gate of the manager's files
		case MeaningRegion:
			n.region(name, value)
		case MeaningAutoDeploy:
			n.result.AutoDeploy = n.boolean(name, value)
		case MeaningContent:
			n.content(name, value)
		}
	}
	if len(n.problems) > 0 {
		return nil, n.problems
	}
	n.result.Choices = c.choices(n.result)
	return n.result, nil
}

// narrowing is the work of Narrow.
type narrowing struct {
	customer Customer
	rules    PropertyRules
	overlap  func(a, b string) bool
	result   *RequestProperties
	problems Problems
}

// problem notes what is wrong with a property; without a name, with all of them.
func (n *narrowing) problem(name, message, remedy string) {
	n.problems = append(n.problems, Problem{Position: propertyPlace(name), Rule: string(ReasonProperties), Message: message, Remedy: remedy})
}

func propertyPlace(name string) Position {
	if name == "" {
		return Position{File: "custom properties"}
	}
	return Position{File: "property " + name}
}

// text is the value of a property of one text; false where it is unset, and where it has
// another form, which is a problem.
func (n *narrowing) text(name string, value Property) (string, bool) {
	switch value.Form {
	case PropertyText:
		return value.Text, true
	case PropertyUnset:
		return "", false
	}
	n.problem(name, "the value is not one text", "give the property one value, or define it in the organization with the type string or single_select")
	return "", false
}

func (n *narrowing) tools(name string, value Property) {
	offered := n.customer.StackNames()
	n.result.stacks = offered
	list, byCustomer := value.List, true
	switch value.Form {
	case PropertyList:
	case PropertyUnset:
		if n.rules.DefaultTools == nil {
			return
		}
		list, byCustomer = n.rules.DefaultTools, false
	default:
		n.problem(name, "the value is not a list of texts", "define the property in the organization with the type multi_select")
		return
	}
	enabled := []StackName{}
	for _, stack := range offered {
		if slices.ContainsFunc(list, func(tool string) bool { return n.customer.enables(tool, stack) }) {
			enabled = append(enabled, stack)
		}
	}
	for _, tool := range list {
		if byCustomer && !slices.ContainsFunc(offered, func(stack StackName) bool { return n.customer.enables(tool, stack) }) {
			n.problem(name, fmt.Sprintf("%s is not offered to this customer", Quote(tool)),
				fmt.Sprintf("remove it from the property (offered are: %s), or %s", strings.Join(n.customer.OfferedTools(), ", "), AskProvider))
		}
	}
	for _, stack := range enabled {
		for _, needed := range n.customer.Manager.NeedsOf(stack) {
			if !slices.Contains(enabled, needed) {
				n.problem(name, fmt.Sprintf("stack %s is enabled, and stack %s is not, whose outputs it needs", stack, needed),
					fmt.Sprintf("add %q to the property", needed))
			}
		}
	}
	n.result.stacks, n.result.NoTools = enabled, len(enabled) == 0
}

// content reads what the repository holds: one without infrastructure has no stacks.
func (n *narrowing) content(name string, value Property) {
	t, message := ReadContentType(value)
	if message != "" {
		n.problem(name, message, ContentRemedy)
		return
	}
	if n.result.Content = t; n.result.OnlyApp() {
		n.result.stacks, n.result.NoTools = []StackName{}, true
	}
}

// enables reports whether a name in the list of tools means a stack: its own name, or that
// of its tool.
func (c Customer) enables(tool string, stack StackName) bool {
	_, rule, err := c.Module(stack)
	return err == nil && (stack != "" && tool == string(stack) || tool == rule.Name)
}

// OfferedTools are the names that the list of tools may hold, sorted.
func (c Customer) OfferedTools() []string {
	names := map[string]bool{}
	for _, stack := range c.StackNames() {
		if _, rule, err := c.Module(stack); err == nil {
			names[rule.Name] = true
		}
		if stack != "" {
			names[string(stack)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

// anyVersion is the value that asks for no version.
const anyVersion = "latest"

func (n *narrowing) version(name string, value Property) {
	text, isSet := n.text(name, value)
	if !isSet || text == anyVersion {
		return
	}
	constraint := versionConstraint(text)
	if constraint == "" {
		n.problem(name, Quote(text)+" is not a version", fmt.Sprintf("write one such as 1.9 or 1.9.5, or %q", anyVersion))
		return
	}
	if own := n.customer.Manager.Tool.Constraint; own != "" && !n.overlap(own, constraint) {
		n.problem(name, fmt.Sprintf("no version of %s is both %s, as the property says, and %q, as `tool.version` of the service provider says", n.customer.Manager.Tool.Name, text, own),
			fmt.Sprintf("choose a version that fulfills both, or %q", anyVersion))
		return
	}
	n.result.Version = constraint
}

// maxVersionText bounds a version, such as 1.12.34.
const maxVersionText = 20 // bytes

// versionConstraint is the constraint for a version of two or three numbers; empty where
// text is none.
func versionConstraint(text string) string {
	parts := strings.Split(text, ".")
	if len(text) > maxVersionText || len(parts) < 2 || len(parts) > 3 {
		return ""
	}
	for _, part := range parts {
		if part == "" || len(part) > 6 || strings.Trim(part, Digits) != "" || len(part) > 1 && part[0] == '0' {
			return ""
		}
	}
	if len(parts) == 3 {
		return "= " + text
	}
	return "~> " + text + ".0"
}

// boolean is "true", "false", or empty where the property is unset.
func (n *narrowing) boolean(name string, value Property) string {
	text, isSet := n.text(name, value)
	if isSet && text != "true" && text != "false" {
		n.problem(name, Quote(text)+" is neither true nor false", "define the property in the organization with the type true_false")
		return ""
	}
	return text
}

func (n *narrowing) region(name string, value Property) {
	text, isSet := n.text(name, value)
	if !isSet {
		return
	}
	if _, known := n.rules.Regions[text]; !known {
		n.problem(name, Quote(text)+" is not a known restriction", "use one of: "+strings.Join(slices.Sorted(maps.Keys(n.rules.Regions)), ", "))
	}
}
