package intake

import (
	"context"
	"fmt"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// LookForEnded reads from the ledger, without a key, whether a target was ended, and
// when. It is for showing.
func LookForEnded(ctx context.Context, s pipeline.Store, t pipeline.Target) (at time.Time, ended bool, err error) {
	left, err := ledger.Ledger{Records: record.Records{Store: s}}.LastState(ctx, t)
	if err != nil || left == nil || !left.IsDestroyed() {
		return time.Time{}, false, err
	}
	return left.At, true, nil
}

// mode is how far a manual request goes.
func (a ManualRequest) mode() pipeline.Mode {
	if a.Mode == pipeline.ModeDestroy {
		return pipeline.ModeDestroy
	}
	return pipeline.ModeApply.Reduce(a.Mode)
}

// CheckDestroy refuses a destroy that no one of the manager has started by hand, and one
// without the typed name of its one target. The error is a *UsageError.
func (in FetchInput) CheckDestroy() error {
	if in.Manual == nil {
		return nil
	}
	if err := in.Manual.checkDestroy(); err != nil || in.Manual.Mode != pipeline.ModeDestroy || in.Event.Name == "workflow_dispatch" {
		return err
	}
	by := "outside of GitHub Actions, where no approval of it can be on record"
	if in.Event.Name != "" {
		by = fmt.Sprintf("in a run that was started by %q", pipeline.PlainLine(in.Event.Name))
	}
	return pipeline.Usagef("the destroy of %s was asked for %s", in.Manual.target(), by).
		Nextf("start the manager's workflow by hand (Actions, Run workflow) with mode destroy; see docs/ENDING.md")
}

// checkDestroy refuses a destroy without the typed name of its one target, and a typed
// name without a destroy.
func (a ManualRequest) checkDestroy() error {
	target := a.target().String()
	switch {
	case a.Mode != pipeline.ModeDestroy && a.Confirm != "":
		return pipeline.Usagef("a confirmation (%s) belongs to mode destroy, and the mode is %s", pipeline.QuoteTyped(a.Confirm), a.mode()).
			Nextf("leave the confirmation out, or choose mode destroy")
	case a.Mode != pipeline.ModeDestroy:
		return nil
	case a.Environment == "":
		return pipeline.Usagef("mode destroy works on one environment at a time, and none is named for %s", a.Customer).
			Nextf("name it with --environment")
	case a.Commit != "":
		return pipeline.Usagef("the destroy of %s takes no commit: it uses the variables that were applied last", target).
			Nextf("leave --commit out")
	case a.Confirm == "":
		return pipeline.Usagef("the destroy of %s is not confirmed", target).Nextf("type the name of the target: --confirm %s", target)
	case a.Confirm != target:
		return pipeline.Usagef("the destroy of %s is not confirmed: %s was typed", target, pipeline.QuoteTyped(a.Confirm)).
			Nextf("check which target is meant; its name is typed whole: --confirm %s", target)
	}
	return nil
}

// isDestroyed reports whether a target was ended. Where its record cannot be read, that is
// not known, and it counts as there: the answer only adds a warning to a report.
func (f *FetchVars) isDestroyed(ctx context.Context, t pipeline.Target) bool {
	known, err := ledger.Remember(ctx, f.records(), t)
	if err != nil {
		f.Logf("whether %s was destroyed is not known, so it counts as there: %v", t, err)
		return false
	}
	return known.Destroyed()
}

// TargetKnown reports whether the store has anything of a target: a state, an entry in
// its ledger, or the record of an apply.
func TargetKnown(ctx context.Context, s pipeline.Store, t pipeline.Target) (bool, error) {
	for _, prefix := range []string{pipeline.StateKey(t), record.LedgerKey(t, 1), record.LastApplyPrefix(t)} {
		keys, err := s.List(ctx, prefix)
		if err != nil {
			return false, fmt.Errorf("look for what the store has of %s: %w", t, err)
		}
		if len(keys) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// lastVariables gives a destroy the variables that were applied last: the customer may
// have removed the environment since. Without a record that can be believed it is not
// known what there is to destroy.
func (f *FetchVars) lastVariables(ctx context.Context, from origin, request *pipeline.Request) ([]byte, error) {
	t := pipeline.Target{Customer: request.Customer, Environment: from.only, Stack: from.stack}
	target := t.String()
	refuse := func(operator, format string, args ...any) ([]byte, error) {
		return nil, &pipeline.RefusedError{
			Reason:   pipeline.ReasonNoDestroy,
			Message:  "the destroy of " + target + " is refused: " + fmt.Sprintf(format, args...),
			Next:     pipeline.ProviderNext,
			Operator: operator,
		}
	}
	known, err := ledger.Remember(ctx, f.records(), t)
	if err == nil && known.Unread != nil {
		err = record.TamperedOr(known.Unread, "the record of the last apply of "+target)
	}
	if err != nil {
		return nil, err
	}
	last := known.Record
	switch {
	case last == nil:
		return refuse("look at `metapipe state list` and `metapipe ledger`; if there is infrastructure, apply it once, so that its variables are on record",
			"no apply of it is on record, so its variables are not known")
	case last.Receipt.RepositoryID != request.Repository.ID:
		return refuse("find out which repository the target belongs to", "it was applied for repository id %d, and %s has id %d", last.Receipt.RepositoryID, request.Repository, request.Repository.ID)
	case known.Destroyed():
		return refuse("there is nothing left to do: remove it from the customer's file", "request %s destroyed it at %s", last.Receipt.Request.Short(), last.At.UTC().Format(time.RFC3339))
	}
	for _, reader := range from.customer.NeededBy(t) {
		known, err := ledger.Remember(ctx, f.records(), reader)
		if err != nil {
			return nil, err
		}
		if !known.Nothing() && !known.NoneLeft() {
			return refuse("destroy "+reader.String()+" first", "%s needs its outputs, and is not destroyed", reader.Name())
		}
	}
	raw, err := last.OpenVariables(ctx, f.Sealer)
	if err != nil {
		return nil, record.TamperedOr(err, "the variables that were applied last to "+target)
	}
	if _, problems := f.Parse(from.customer, request.File, raw); problems.Err() != nil {
		return refuse("relax the rule in the manager until the target is destroyed",
			"the variables that were applied last (request %s) do not pass the manager's rules any more: %v", last.Receipt.Request.Short(), problems.Err())
	}
	request.Blob, request.AppliedBy = last.Receipt.Blob, last.Receipt.Request
	request.Targets = []pipeline.RequestTarget{{Target: t}}
	return raw, nil
}
