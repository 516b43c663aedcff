package pipeline

import (
	"fmt"
	"slices"
	"strings"
)

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

// used is the property for a meaning as it was read; zero where there is none.
func (p *RequestProperties) used(m PropertyMeaning) UsedProperty {
	if p == nil {
		return UsedProperty{}
	}
	for _, u := range p.Used {
		if u.Meaning == m {
			return u
		}
	}
	return UsedProperty{}
}

// Name is that of the property for a meaning; empty where there is none.
func (p *RequestProperties) Name(m PropertyMeaning) string { return p.used(m).Name }

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

// joinConstraints demands both; an empty one demands nothing.
func joinConstraints(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ", " + b
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

// Region is the value of the property that restricts regions; empty where it is unset.
func (p *RequestProperties) Region() string { return p.used(MeaningRegion).Value.Text }
