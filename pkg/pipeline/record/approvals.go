package record

import (
	"context"
	"errors"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// OtherApprovals is how many approvals of a run may be for other plans than one that is
// about to be applied: GitHub lists the approvals of a run by environment, without the
// attempt and the job that each was for. An environment lets a job pass after one approval,
// so each plan has at most one in each attempt of the run.
type OtherApprovals struct {
	Earlier int // for earlier plans of the target
	Stacks  int // for plans of other stacks of the environment
}

// Count is how many there are at most.
func (o OtherApprovals) Count() int { return o.Earlier + o.Stacks }

// ReadOtherApprovals counts the attempts of a run, up to that of run, in which another plan
// of the environment may have been approved. A plan may be approved from the attempt in
// which it was made, if it waited for its apply, up to the one in which it was applied:
// until then its job can run again alone.
func ReadOtherApprovals(ctx context.Context, s Records, request pipeline.Request, plan PlanAttempt, run pipeline.Run) (OtherApprovals, error) {
	var o OtherApprovals
	var err error
	if run.Attempt > 1 {
		if o.Earlier, err = approvableBefore(ctx, s, request, plan); err != nil {
			return o, err
		}
	}
	for _, t := range request.Targets {
		if t.Target == plan.Target || t.Environment != plan.Environment {
			continue
		}
		attempts, err := approvableIn(ctx, s, request, t.Target, run)
		if err != nil {
			return o, err
		}
		o.Stacks += attempts
	}
	return o, nil
}

// approvableBefore is the number of attempts of a plan's run in which an earlier plan of
// the target may have been approved: those from the first whose plan waited for its apply
// up to the one before the plan's own.
func approvableBefore(ctx context.Context, s Records, request pipeline.Request, plan PlanAttempt) (int, error) {
	var made StartRecord
	if err := s.ReadRecord(ctx, plan, ObjectStart, &made); err != nil {
		return 0, err
	}
	first := made.Run.Attempt
	if first <= 1 {
		return 0, nil
	}
	err := s.eachWaited(ctx, request, plan.Target, made.Run, func(p PlanAttempt, attempt int) error {
		if p.Prefix != plan.Prefix {
			first = min(first, attempt)
		}
		return nil
	})
	return made.Run.Attempt - first, err
}

// approvableIn is the number of attempts of a run, up to that of run, in which a plan of a
// target may have been approved.
func approvableIn(ctx context.Context, s Records, request pipeline.Request, t pipeline.Target, run pipeline.Run) (int, error) {
	attempts := map[int]bool{}
	err := s.eachWaited(ctx, request, t, run, func(p PlanAttempt, attempt int) error {
		last := max(run.Attempt, attempt)
		if n := p.LastResult(); n > 0 {
			ended, err := ReadApplyResult(ctx, s, p, n)
			if err != nil {
				return err
			}
			if ended.Outcome == pipeline.OutcomeApplied {
				last = min(last, max(ended.Run.Attempt, attempt))
			}
		}
		for ; attempt <= last; attempt++ {
			attempts[attempt] = true
		}
		return nil
	})
	return len(attempts), err
}

// eachWaited calls yield with each plan of a target that waited for its apply in a run, and
// with the attempt of the run in which it was made.
func (s Records) eachWaited(ctx context.Context, request pipeline.Request, t pipeline.Target, run pipeline.Run, yield func(PlanAttempt, int) error) error {
	for _, id := range request.SameRun(run) {
		of := request
		of.ID = id
		plans, err := PlanAttempts(ctx, s.Store, of, t)
		if err != nil {
			return err
		}
		for _, p := range plans {
			attempt, waited, err := s.waited(ctx, p, run.ID)
			if err != nil {
				return err
			}
			if !waited {
				continue
			}
			if err := yield(p, attempt); err != nil {
				return err
			}
		}
	}
	return nil
}

// waited returns the attempt of a run in which a plan was made, and whether the plan waited
// for its apply.
func (s Records) waited(ctx context.Context, p PlanAttempt, run int64) (attempt int, waited bool, err error) {
	var made StartRecord
	if err := s.ReadRecord(ctx, p, ObjectStart, &made); err != nil || made.Run.ID != run {
		return 0, false, err
	}
	ended, err := ReadPlanned(ctx, s, p)
	if errors.Is(err, pipeline.ErrNotFound) {
		return 0, false, nil // no apply begins before this record is written
	}
	return made.Run.Attempt, ended.Outcome == pipeline.OutcomeWaiting, err
}
