package deploy

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// applied are the variables that were applied last, nil where there are none to
// compare with; the Comparison says why. They only explain the plan, so that it is
// made without them too.
func (p *Planner) applied(ctx context.Context, in pipeline.TargetInput, request pipeline.Request) (pipeline.Document, pipeline.Comparison) {
	if request.Mode == pipeline.ModeDestroy {
		return nil, "" // it uses the variables of the last apply themselves
	}
	unknown := func(err error) (pipeline.Document, pipeline.Comparison) {
		fmt.Fprintf(in.LogOrDiscard(), "The plan is made without the reasons for its changes: %v\n", err)
		return nil, pipeline.ComparedUnknown
	}
	last, found, err := record.LoadLastApply(ctx, p.viewed(), in.Target())
	if err != nil {
		return unknown(err)
	}
	if !found || last.Receipt.RepositoryID != request.Repository.ID { // an ended target of another customer
		return nil, pipeline.ComparedNothing
	}
	raw, err := last.OpenVariables(ctx, p.Sealer)
	if err != nil {
		return unknown(fmt.Errorf("read the variables of the last apply of %s: %w", in.Target(), err))
	}
	// Rules may be stricter today than those under which they were applied.
	document, problems := p.Parse(in.Customer, request.File, raw)
	if document == nil {
		fmt.Fprintf(in.LogOrDiscard(), "The plan is made without the reasons for its changes: parse the variables of the last apply of %s: %v\n", in.Target(), problems.Err())
		return nil, pipeline.ComparedUnreadable
	}
	return document, pipeline.ComparedApplied
}
