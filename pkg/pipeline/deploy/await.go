package deploy

import (
	"context"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// How long an apply waits for the report beside it, and how often it looks. That report starts at
// the same moment and takes seconds; no apply depends on it.
const (
	reportWait  = time.Minute
	reportPause = time.Second
)

// awaitReport waits until the report beside this apply has looked at the plan. It reads the store
// anew each time. An announcement that does not come in time is no reason to refuse; one that does
// not verify is.
func (a *Applier) awaitReport(ctx context.Context, in pipeline.TargetInput, receipt pipeline.Receipt) error {
	if a.AwaitReport == nil {
		return nil
	}
	for waited := time.Duration(0); ; waited += reportPause {
		announced, err := record.Announced{Target: in.Target(), Request: receipt.Request, Receipt: receipt.Digest(), Run: in.Run}.Read(ctx, a.records())
		if err != nil {
			return record.TamperedOr(err, "the announcement of the apply of "+in.Target().String())
		}
		if announced {
			return nil
		}
		if waited >= reportWait {
			fmt.Fprintf(in.LogOrDiscard(), "No `report --applying` of this run has looked at the plan of %s in %s. Going on without it: the customer's status does not show that the apply has begun, and custom properties were not read again.\n", in.Target(), reportWait)
			return nil
		}
		if err := a.AwaitReport(ctx, reportPause); err != nil {
			return fmt.Errorf("wait for the report before the apply of %s: %w", in.Target(), err)
		}
	}
}
