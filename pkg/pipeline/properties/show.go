package properties

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// CustomerProperties is what the custom properties of a customer's repository ask for, and what
// the next request makes of it.
type CustomerProperties struct {
	Customer   pipeline.CustomerName `json:"customer"`
	Repository string                `json:"repository"`        // owner/name
	Renamed    string                `json:"renamed,omitempty"` // owner/name that the repository has now
	Archived   bool                  `json:"archived,omitempty"`
	Properties []PropertyEffect      `json:"properties"`
	// Problems are why the next request will be rejected, each with what to do about it.
	Problems []string `json:"problems,omitempty"`
	Unread   string   `json:"unread,omitempty"` // why the properties are not known
}

// PropertyEffect is one property and what it does.
type PropertyEffect struct {
	Meaning pipeline.PropertyMeaning `json:"meaning"`
	Name    string                   `json:"name"`
	Value   pipeline.Property        `json:"value"` // null where it is unset
	Origin  string                   `json:"origin"`
	Effect  string                   `json:"effect"` // "none", or what it narrows
}

// The origins of a value.
const (
	OriginGitHub  = "github"       // set on the repository, or the default of the organization
	OriginManager = "metapipe.yml" // it is unset, and metapipe.yml has a default
	OriginNone    = "unset"
)

// ShowGitHub is what Show asks of GitHub.
type ShowGitHub interface {
	// RepositoriesProperties reads many repositories with few calls, and answers in their order.
	RepositoriesProperties(ctx context.Context, repos []pipeline.Slug) []pipeline.RepositoryAnswer
	RepositoryProperties(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, pipeline.Properties, error)
	ListGitHub
}

// Show reads the custom properties of the customers' repositories and says what they do.
// What is wrong with one customer hides no other one, and GitHub is not asked where metapipe.yml uses
// no property. oneByOne: the token is for single repositories.
func Show(ctx context.Context, github ShowGitHub, customers []pipeline.Customer, overlap func(a, b string) bool, oneByOne bool) []CustomerProperties {
	read := newPropertyReader(github, customers, oneByOne)
	read.together(ctx, customers)
	all := make([]CustomerProperties, 0, len(customers))
	for _, c := range customers {
		shown := CustomerProperties{Customer: c.Name, Repository: c.Repository.String(), Properties: []PropertyEffect{}}
		if c.Manager.Properties != nil {
			answer := read.of(ctx, c)
			if answer.Err != nil {
				shown.Unread = answer.Err.Error()
			} else {
				shown.Archived = answer.Archived
				if answer.Slug != (pipeline.Slug{}) && !strings.EqualFold(answer.String(), shown.Repository) {
					shown.Renamed = answer.String()
				}
				shown.add(c, answer.Properties, overlap)
			}
		}
		all = append(all, shown)
	}
	return all
}

// add says what the properties do.
func (s *CustomerProperties) add(c pipeline.Customer, properties pipeline.Properties, overlap func(a, b string) bool) {
	narrowed, problems := c.Narrow(properties, overlap)
	for _, p := range problems {
		s.Problems = append(s.Problems, fmt.Sprintf("%s: %s; %s", p.Position.File, p.Message, p.Remedy))
	}
	if !properties.Known() {
		return
	}
	rules := c.Manager.Properties
	for _, meaning := range pipeline.PropertyMeanings {
		name := rules.Names[meaning]
		if name == "" {
			continue
		}
		e := PropertyEffect{Meaning: meaning, Name: name, Value: properties.Get(name), Origin: OriginGitHub, Effect: "rejected"}
		if meaning.IsInformation() {
			if e.Effect = "information"; e.Value.Form != pipeline.PropertyUnset {
				s.Properties = append(s.Properties, e)
			}
			continue
		}
		if e.Value.Form == pipeline.PropertyUnset {
			e.Origin = OriginNone
			if meaning == pipeline.MeaningTools && rules.DefaultTools != nil {
				e.Origin = OriginManager
			}
		}
		if narrowed != nil {
			e.Effect = effectOf(c, meaning, narrowed)
		} else if !slices.ContainsFunc(problems, func(p pipeline.Problem) bool { return p.Position.File == "property "+name }) {
			e.Effect = "none until the others are corrected"
		}
		s.Properties = append(s.Properties, e)
	}
}

// effectOf is what a property changes for the customer.
func effectOf(c pipeline.Customer, meaning pipeline.PropertyMeaning, p *pipeline.RequestProperties) string {
	switch meaning {
	case pipeline.MeaningTools:
		return toolsEffect(c, p)
	case pipeline.MeaningVersion:
		if p.Version != "" {
			return fmt.Sprintf("%s %s", c.Manager.Tool.Name, p.Version)
		}
	case pipeline.MeaningApproval:
		if !p.Approval {
			break
		}
		var gates []string
		for _, env := range c.Allowed() {
			if rule, _ := c.Manager.Rule(env); !rule.Gated {
				gates = append(gates, string(env))
			}
		}
		if len(gates) > 0 {
			return "adds a gate on " + strings.Join(gates, ", ")
		}
	case pipeline.MeaningAutoDeploy:
		return autoDeployEffect(c, p)
	case pipeline.MeaningRegion:
		if patterns := c.Manager.Properties.Regions[p.Region()]; p.Region() != "" && !slices.Contains(patterns, "*") {
			return "allows regions " + strings.Join(patterns, ", ")
		}
	case pipeline.MeaningContent:
		if p.OnlyApp() {
			return "deploys nothing"
		}
	}
	return "none"
}

// autoDeployEffect is what becomes of pushes.
func autoDeployEffect(c pipeline.Customer, p *pipeline.RequestProperties) string {
	var planned, applied []string
	for _, env := range c.Allowed() {
		rule, _ := c.Manager.Rule(env)
		switch {
		case p.PlannedOnly("push", rule) != "":
			planned = append(planned, string(env))
		case rule.AutoDeploy == pipeline.AutoDeployAllowed:
			applied = append(applied, string(env))
		}
	}
	switch {
	case len(planned) > 0:
		return "pushes are only planned on " + strings.Join(planned, ", ")
	case len(applied) > 0:
		return "pushes are applied on " + strings.Join(applied, ", ")
	}
	return "none"
}

func toolsEffect(c pipeline.Customer, p *pipeline.RequestProperties) string {
	var off []string
	for _, stack := range c.StackNames() {
		if !p.Enables(stack) {
			off = append(off, string(stack))
		}
	}
	switch {
	case p.OnlyApp():
		return "none" // the content type has taken all away
	case p.NoTools:
		return "deploys nothing"
	case len(off) > 0:
		return "leaves out " + strings.Join(off, ", ")
	}
	return "none"
}
