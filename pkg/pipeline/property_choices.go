package pipeline

import "strings"

// Choice is one thing that the head of the comment tells the customer: what counts for the
// request, and who says so.
type Choice struct {
	What string `json:"what"` // one of the constants below
	// Value is names or a constraint; empty: none.
	Value string `json:"value,omitempty"`
	// Property names the property that says so; empty: none does.
	Property string `json:"property,omitempty"`
	// Provider: the files of the manager say so, alone or beside the property.
	Provider bool `json:"provider,omitempty"`
}

// What choices are about.
const (
	ChoiceTools    = "tools"    // the stacks, or the tool of the unnamed one
	ChoiceVersion  = "version"  // of the tool of metapipe.yml, as a constraint
	ChoiceApproval = "approval" // the environments whose applies need one
)

// choices are what counts for a request with these properties.
func (c Customer) choices(p *RequestProperties) []Choice {
	return []Choice{c.toolsChoice(p), c.versionChoice(p), c.approvalChoice(p)}
}

func (c Customer) toolsChoice(p *RequestProperties) Choice {
	choice := Choice{What: ChoiceTools}
	var names []string
	for _, stack := range c.StackNames() {
		_, rule, err := c.Module(stack)
		if err != nil || !p.Enables(stack) {
			continue
		}
		name := string(stack)
		if stack == "" {
			name = rule.Name
		}
		names = append(names, name)
	}
	choice.Value = strings.Join(names, ", ")
	switch {
	case p.OnlyApp():
		choice.Property = p.Disabler()
	case p.used(MeaningTools).Value.Form != PropertyUnset:
		choice.Property = p.Name(MeaningTools)
	default:
		choice.Provider = true
	}
	return choice
}

func (c Customer) versionChoice(p *RequestProperties) Choice {
	tool := c.Manager.Tool
	choice := Choice{What: ChoiceVersion, Value: joinConstraints(tool.Constraint, p.Version), Provider: tool.Constraint != "" || p.Version == ""}
	if p.Version != "" {
		choice.Property = p.Name(MeaningVersion)
	}
	if choice.Value != "" {
		choice.Value = tool.Name + " " + choice.Value
	}
	return choice
}

func (c Customer) approvalChoice(p *RequestProperties) Choice {
	choice := Choice{What: ChoiceApproval}
	var gated []string
	for _, env := range c.Allowed() {
		rule, known := c.Manager.Rule(env)
		if !known || !rule.Gated && !p.Approval {
			continue
		}
		gated = append(gated, string(env))
		choice.Provider = choice.Provider || rule.Gated
	}
	choice.Value = strings.Join(gated, ", ")
	if p.Approval {
		choice.Property = p.Name(MeaningApproval)
	}
	choice.Provider = choice.Provider || choice.Property == ""
	return choice
}
