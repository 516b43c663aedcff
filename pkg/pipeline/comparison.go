package pipeline

import (
	"context"
	"fmt"
)

// Comparison says whether the variables of a plan were compared with those of the last
// apply, and so whether its changes name their causes. The zero Comparison is a plan that was
// not asked for causes, or the record of an earlier version.
type Comparison string

// The comparisons.
const (
	// ComparedApplied: a change without a cause in the variables comes from elsewhere.
	ComparedApplied Comparison = "last-apply"
	// ComparedNothing: no apply came before, so that there are no earlier variables.
	ComparedNothing Comparison = "nothing-applied"
	// ComparedUnknown: there was an apply, or there may have been one, and its
	// variables could not be read.
	ComparedUnknown Comparison = "unknown"
	// ComparedUnreadable: the variables are there and could not be decoded, for example
	// since the rules of today do not accept those of the last apply.
	ComparedUnreadable Comparison = "unreadable"
)

// Known reports whether the variables were compared with those of the last apply.
func (c Comparison) Known() bool { return c == "" || c == ComparedApplied }

// applied are the variables that were applied last, nil where there are none to
// compare with; the Comparison says why. They only explain the plan, so that it is
// made without them too.
func (p *Planner) applied(ctx context.Context, in TargetInput, request Request) (Document, Comparison) {
	if request.Mode == ModeDestroy {
		return nil, "" // it uses the variables of the last apply themselves
	}
	unknown := func(err error) (Document, Comparison) {
		fmt.Fprintf(in.LogOrDiscard(), "The plan is made without the reasons for its changes: %v\n", err)
		return nil, ComparedUnknown
	}
	last, found, err := LoadLastApply(ctx, p.records(), in.Customer.Name, in.Environment)
	if err != nil {
		return unknown(err)
	}
	if !found {
		return nil, ComparedNothing
	}
	raw, err := last.OpenVariables(ctx, p.Store, p.Sealer)
	if err != nil {
		return unknown(fmt.Errorf("read the variables of the last apply of %s/%s: %w", in.Customer.Name, in.Environment, err))
	}
	// Rules may be stricter today than those under which they were applied.
	document, problems := p.Parse(in.Customer, request.File, raw)
	if document == nil {
		fmt.Fprintf(in.LogOrDiscard(), "The plan is made without the reasons for its changes: parse the variables of the last apply of %s/%s: %v\n", in.Customer.Name, in.Environment, problems.Err())
		return nil, ComparedUnreadable
	}
	return document, ComparedApplied
}
