package intake

import (
	"context"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
)

// narrow notes in the request what the custom properties of the repository ask for, and
// makes from.customer the stricter one. It answers false where the request is rejected.
// A destroy never comes here: it needs an approval in any case, and ends what is there.
func (f *FetchVars) narrow(from *origin, request *pipeline.Request) bool {
	from.offered = from.customer
	properties, problems := from.customer.Narrow(from.properties, f.Overlap)
	if problems == nil {
		request.Properties, from.customer = properties, from.customer.Under(properties)
		problems = from.notEnabled(properties)
	}
	if problems == nil && properties != nil && from.event != pipeline.EventManual && from.customer.Manager.Properties.Claims {
		problems = properties.CheckClaims(from.claims)
	}
	if problems != nil {
		request.Reject(&pipeline.RejectedError{Reason: pipeline.ReasonProperties, Problems: problems})
		request.Properties = nil
		return false
	}
	return true
}

// notEnabled is the answer to a manual request for a stack that the customer has switched off.
func (o origin) notEnabled(properties *pipeline.RequestProperties) pipeline.Problems {
	t := pipeline.Target{Customer: o.offered.Name, Environment: o.only, Stack: o.stack}
	if properties == nil || o.stack == "" || properties.Enables(t.Stack) {
		return nil
	}
	if name := properties.Name(pipeline.MeaningContent); properties.OnlyApp() {
		return pipeline.Problems{{Position: pipeline.Position{File: "property " + name}, Rule: string(pipeline.ReasonProperties),
			Message: fmt.Sprintf("the property is %s, so the repository has no infrastructure, and the request asks for stack %s", properties.Content, o.stack), Remedy: pipeline.ContentRemedy}}
	}
	name := properties.Name(pipeline.MeaningTools)
	return pipeline.Problems{{Position: pipeline.Position{File: "property " + name}, Rule: string(pipeline.ReasonProperties),
		Message: fmt.Sprintf("the property does not enable stack %s, which the request asks for", o.stack), Remedy: fmt.Sprintf("add %q to the property, or ask for another stack", o.stack)}}
}

// disabled finds the targets of the file that a property switches off and that were worked on
// before: what was built stays, and no request plans it any more.
func (f *FetchVars) disabled(ctx context.Context, from origin, in []pipeline.DeclaredEnvironment, request *pipeline.Request) error {
	if request.Properties == nil {
		return nil
	}
	for _, t := range from.offered.Targets() {
		if request.Properties.Enables(t.Stack) || !pipeline.Declares(in, t.Environment) {
			continue
		}
		stays, err := f.stays(ctx, t)
		if err != nil {
			return err
		}
		if stays {
			request.Disabled = append(request.Disabled, t)
		}
	}
	return nil
}

// allEnvironments are those of a customer, for a repository that needs no variables.yml.
func allEnvironments(c pipeline.Customer) []pipeline.DeclaredEnvironment {
	var all []pipeline.DeclaredEnvironment
	for _, env := range c.Allowed() {
		all = append(all, pipeline.DeclaredEnvironment{Name: string(env)})
	}
	return all
}

// denied are the regions of variables.yml that a property does not allow, and the targets
// that a property would bring back to an older version.
func (f *FetchVars) denied(ctx context.Context, from origin, document pipeline.Document, request *pipeline.Request) (pipeline.Problems, error) {
	rules := from.customer.Manager.Properties
	if rules == nil || request.Properties == nil {
		return nil, nil
	}
	var environments []pipeline.Environment
	for _, d := range document.Environments() {
		if env := pipeline.Environment(d.Name); from.customer.Allows(env) { // another one is a problem already
			environments = append(environments, env)
		}
	}
	problems, err := rules.CheckRegions(request.Properties.Region(), document, environments)
	if err != nil {
		return nil, err
	}
	older, err := f.older(ctx, from, request)
	return append(problems, older...), err
}

// reasonOf says whether variables.yml or a property is wrong, in a file that was read.
func reasonOf(problems pipeline.Problems) pipeline.Reason {
	if slices.ContainsFunc(problems, func(p pipeline.Problem) bool { return p.Rule == string(pipeline.ReasonProperties) }) {
		return pipeline.ReasonProperties
	}
	return pipeline.ReasonInvalidVariables
}

// older names the targets that were applied last with a newer version than the property
// allows: an older tool may lose what it does not know in the state.
func (f *FetchVars) older(ctx context.Context, from origin, request *pipeline.Request) (pipeline.Problems, error) {
	asked := request.Properties.Version
	if asked == "" {
		return nil, nil
	}
	var problems pipeline.Problems
	for _, t := range request.Targets {
		_, tool, err := from.customer.Module(t.Stack)
		if err != nil || tool.Name != from.customer.Manager.Tool.Name {
			continue // the property is about another tool
		}
		known, err := ledger.Remember(ctx, f.records(), t.Target)
		if err != nil {
			return nil, err
		}
		if known.Record == nil || known.Destroyed() {
			continue
		}
		if last := known.Record.Receipt.Evidence.Tool(); last.Name == tool.Name && !f.Overlap(">= "+last.Version, asked) {
			name := request.Properties.Name(pipeline.MeaningVersion)
			problems = append(problems, pipeline.Problem{Position: pipeline.Position{File: "property " + name}, Rule: string(pipeline.ReasonProperties),
				Message: fmt.Sprintf("%s was applied with %s %s, and the property asks for an older version (%s)", t.Name(), last.Name, last.Version, asked),
				Remedy:  "choose " + last.Version + " or a newer version"})
		}
	}
	return problems, nil
}
