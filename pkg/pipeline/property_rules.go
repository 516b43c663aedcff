package pipeline

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// PropertyRules say which custom properties of the customers' repositories count, and for
// what. A property can only narrow what the files of the manager allow.
type PropertyRules struct {
	// Names are those of the properties on GitHub. A meaning without a name is not used.
	Names map[PropertyMeaning]string
	// DefaultTools are enabled where the property for them is unset: names of tools or of
	// stacks; nil: all that the customer has.
	DefaultTools []string
	// Regions are the patterns (path.Match) of the regions that each value of the property
	// allows.
	Regions map[string][]string
	// RegionKeys are the patterns of the keys of variables.yml that hold a region, in lower
	// case.
	RegionKeys []string
	// Claims: what counts must also be in the ID token that signs a request.
	Claims bool
	// Definitions are what metapipe.yml says of definitions on GitHub, by name.
	Definitions []WantedProperty `json:",omitempty"`
}

// WantedProperty is the definition of a custom property as metapipe.yml has it. What it leaves out
// stays on GitHub as it is.
type WantedProperty struct {
	Name        string
	Type        PropertyType
	Values      []string // of the two kinds of selection
	Default     Property // unset: not said
	Description string   // empty: not said
	EditableBy  string   // empty: not said
}

// Uses reports whether a property counts.
func (r *PropertyRules) Uses(name string) bool {
	if r == nil {
		return false
	}
	for meaning, used := range r.Names {
		if strings.EqualFold(used, name) && !meaning.IsInformation() {
			return true
		}
	}
	return false
}

// PropertyMeaning is what a property is used for.
type PropertyMeaning string

// The meanings.
const (
	MeaningTools    PropertyMeaning = "tools"    // a list of tools or stacks
	MeaningVersion  PropertyMeaning = "version"  // of the tool
	MeaningApproval PropertyMeaning = "approval" // of each apply
	MeaningRegion   PropertyMeaning = "region"   // of what variables.yml names
	// MeaningAutoDeploy: whether a push is applied without anyone who starts the apply.
	MeaningAutoDeploy PropertyMeaning = "auto_deploy"
	MeaningContent    PropertyMeaning = "content" // of the repository: its content type
	// What follows narrows no request: people and other tools read it.
	MeaningStackName  PropertyMeaning = "stack_name"
	MeaningInventory  PropertyMeaning = "inventory"
	MeaningTier       PropertyMeaning = "tier"
	MeaningTeam       PropertyMeaning = "team"
	MeaningBilling    PropertyMeaning = "billing_account"
	MeaningSecurity   PropertyMeaning = "security_contact"
	MeaningCustomerID PropertyMeaning = "customer_id"
)

// PropertyMeanings are all meanings, in the order in which they are shown and recorded.
var PropertyMeanings = []PropertyMeaning{MeaningTools, MeaningVersion, MeaningApproval, MeaningAutoDeploy, MeaningRegion, MeaningContent,
	MeaningStackName, MeaningInventory, MeaningTier, MeaningTeam, MeaningBilling, MeaningSecurity, MeaningCustomerID}

// IsInformation reports whether a property of this meaning narrows no request. It is not recorded.
func (m PropertyMeaning) IsInformation() bool {
	switch m {
	case MeaningStackName, MeaningInventory, MeaningTier, MeaningTeam, MeaningBilling, MeaningSecurity, MeaningCustomerID:
		return true
	}
	return false
}

// DefaultPropertyRules are those of an empty `properties` in metapipe.yml.
func DefaultPropertyRules() PropertyRules {
	return PropertyRules{
		Names: map[PropertyMeaning]string{
			MeaningTools: "infrastructure_tools", MeaningVersion: "terraform_version",
			MeaningApproval: "infrastructure_approval_required", MeaningRegion: "region_restriction", MeaningAutoDeploy: "spacelift_auto_deploy",
			MeaningContent: "repo_content_type", MeaningStackName: "spacelift_stack_name", MeaningInventory: "ansible_inventory_path", MeaningTier: "customer_tier", MeaningTeam: "team_owner",
			MeaningBilling: "billing_account", MeaningSecurity: "security_contact", MeaningCustomerID: "customer_id",
		},
		// The names that AWS, Google Cloud and others give to regions.
		Regions: map[string][]string{
			"us-only": {"us-*"}, "eu-only": {"eu-*", "europe-*"}, "apac-only": {"ap-*", "asia-*", "australia-*"}, "global": {"*"},
		},
		RegionKeys: []string{"*region", "*regions"},
	}
}

// RequestProperties are the properties that a request was accepted with, and what they
// narrow. They are part of the record of the request.
type RequestProperties struct {
	Used []UsedProperty `json:"used"`
	// NoTools: the list of tools is there and empty, or the repository holds no
	// infrastructure, so that the request has no targets.
	NoTools bool `json:"no_tools,omitempty"`
	// Choices are what the customer is told about the request.
	Choices []Choice `json:"choices,omitempty"`
	// Content is what the repository holds; empty where that is unset.
	Content ContentType `json:"content,omitempty"`
	// Approval: each apply needs an approval.
	Approval bool `json:"approval,omitempty"`
	// AutoDeploy is what the property for it says: "true", "false", or empty where it is unset.
	AutoDeploy string `json:"auto_deploy,omitempty"`
	// Version is a constraint of the tool of metapipe.yml, beside its own; empty: none.
	Version string `json:"version,omitempty"`

	stacks []StackName // enabled, in order
}

// UsedProperty is one property as it was read.
type UsedProperty struct {
	Meaning PropertyMeaning `json:"meaning"`
	Name    string          `json:"name"`
	Value   Property        `json:"value"`
}

// Digest is the SHA-256 of what was read: 64 hexadecimal digits; empty where metapipe.yml
// uses no properties.
func (p *RequestProperties) Digest() string {
	if p == nil {
		return ""
	}
	var b strings.Builder
	for _, u := range p.Used {
		fmt.Fprintf(&b, "%s %q %s %q %q\n", u.Meaning, u.Name, u.Value.Form, u.Value.Text, u.Value.List)
	}
	return SHA256Hex([]byte(b.String()))
}

// Name is that of the property for a meaning; empty where there is none.
func (p *RequestProperties) Name(m PropertyMeaning) string {
	if p == nil {
		return ""
	}
	for _, u := range p.Used {
		if u.Meaning == m {
			return u.Name
		}
	}
	return ""
}

// Enables reports whether a stack is enabled, where the properties were read just now.
func (p *RequestProperties) Enables(stack StackName) bool {
	return p == nil || p.stacks == nil || slices.Contains(p.stacks, stack)
}

// NoTools reports whether the request asks for nothing, since the customer has switched
// all tools off, or the repository holds no infrastructure.
func (r Request) NoTools() bool { return r.Properties != nil && r.Properties.NoTools }

// NeedsPropertyApproval reports whether a property of the repository asks for an approval.
func (r Request) NeedsPropertyApproval() bool { return r.Properties != nil && r.Properties.Approval }

// Under is the customer as a request with these properties sees it: with the constraint of
// the version, and with the enabled stacks where the properties were read just now. nil
// changes nothing.
func (c Customer) Under(p *RequestProperties) Customer {
	if p == nil {
		return c
	}
	if p.stacks != nil && len(c.Manager.Stacks) > 0 {
		c.Stacks = p.stacks
	}
	if p.Version == "" {
		return c
	}
	name := c.Manager.Tool.Name
	c.Manager.Tool.Constraint = joinConstraints(c.Manager.Tool.Constraint, p.Version)
	c.Manager.Stacks = slices.Clone(c.Manager.Stacks)
	for i, s := range c.Manager.Stacks {
		if s.Tool.Name == name { // the property is about one tool
			c.Manager.Stacks[i].Tool.Constraint = joinConstraints(s.Tool.Constraint, p.Version)
		}
	}
	return c
}

func joinConstraints(a, b string) string {
	if a == "" {
		return b
	}
	return a + ", " + b
}

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
			n.approval(name, value)
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

// OnlyApp reports whether a property says that the repository holds no infrastructure.
func (p *RequestProperties) OnlyApp() bool {
	return p != nil && p.Content != "" && !p.Content.HasInfra()
}

// Disabler is the name of the property that switches stacks off.
func (p *RequestProperties) Disabler() string {
	if p.OnlyApp() {
		return p.Name(MeaningContent)
	}
	return p.Name(MeaningTools)
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

// approval adds a gate. It removes none: what the files of the manager gate stays gated.
func (n *narrowing) approval(name string, value Property) {
	n.result.Approval = n.boolean(name, value) == "true"
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

// PlannedOnly says why a push is only planned in an environment: the property for it is false, or
// metapipe.yml applies pushes only where it is true. Empty where the push is applied, and
// for a request that someone has started by hand.
func (p *RequestProperties) PlannedOnly(event string, rule EnvironmentRule) string {
	if p == nil || event != "push" || p.Name(MeaningAutoDeploy) == "" {
		return ""
	}
	switch name := p.Name(MeaningAutoDeploy); {
	case p.AutoDeploy == "false":
		return fmt.Sprintf("the property %s is false: start the apply by hand", name)
	case p.AutoDeploy == "" && rule.AutoDeploy == AutoDeployAllowed:
		return fmt.Sprintf("the property %s is not true, which %s needs for pushes: start the apply by hand", name, rule.Name)
	}
	return ""
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

// Region is the value of the property that restricts regions; empty where it is unset.
func (p *RequestProperties) Region() string {
	if p == nil {
		return ""
	}
	for _, u := range p.Used {
		if u.Meaning == MeaningRegion {
			return u.Value.Text
		}
	}
	return ""
}

// isRegionKey reports whether a key of variables.yml holds a region.
func (r PropertyRules) isRegionKey(key string) bool {
	return matchesAny(r.RegionKeys, strings.ToLower(key))
}

func matchesAny(patterns []string, text string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		good, err := path.Match(pattern, text)
		return err == nil && good
	})
}
