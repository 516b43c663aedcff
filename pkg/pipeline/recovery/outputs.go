package recovery

import (
	"context"
	"fmt"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// forgetOutputs removes the outputs on record of a target whose state becomes another one:
// the stacks that need them must not be built from what is not there any more.
func forgetOutputs(ctx context.Context, s pipeline.Store, in pipeline.TargetInput) error {
	if len(in.Customer.NeededBy(in.Target())) == 0 {
		return nil
	}
	if err := record.ForgetOutputs(ctx, s, in.Target()); err != nil {
		return fmt.Errorf("remove the outputs of the former state of %s: %w", in.Target(), err)
	}
	return nil
}

// outputs looks at the newest outputs of a target, and with apply seals them again.
func (r *Rekeyer) outputs(ctx context.Context, t rekeyTarget, apply bool, result *RekeyResult) error {
	if len(t.outputs) == 0 {
		return nil
	}
	result.Checked++
	newest := t.outputs[len(t.outputs)-1]
	_, _, first := record.LoadOutputs(ctx, record.Records{Store: r.Store, Sealer: r.First}, t.Target)
	left, found, all := record.LoadOutputs(ctx, record.Records{Store: r.Store, Sealer: r.All}, t.Target)
	advice := resealed("request a new plan of this target: one without changes, or its apply, writes the outputs again")
	return result.add(ctx, advice, newest, first, all, apply && found, func(ctx context.Context) error {
		return record.ResealOutputs(ctx, record.Records{Store: r.Store, Sealer: r.First}, t.Target, left, r.Now())
	})
}
