package intake

import (
	"context"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

func (f *FetchVars) manualOrigin(ctx context.Context, in FetchInput) (origin, error) {
	ask := in.Manual
	if err := f.presentManager(ctx, in); err != nil {
		return origin{}, err
	}
	if err := in.CheckDestroy(); err != nil {
		return origin{}, err
	}
	// GitHub lists the approvals of a run without their attempts: one of an earlier
	// attempt would count for this destroy.
	if ask.Mode == pipeline.ModeDestroy && in.Run.Attempt > 1 {
		return origin{}, &pipeline.RejectedError{
			Reason:  pipeline.ReasonUnverified,
			Message: fmt.Sprintf("attempt %d of run %d asks for the destroy of %s again, and approvals of earlier attempts would count for it", in.Run.Attempt, in.Run.ID, ask.target()),
			Next:    "start a new run of the manager's workflow for each destroy; do not run one again",
		}
	}
	customer, ok := f.Customers.Customer(ask.Customer)
	if !ok {
		return origin{}, &pipeline.RejectedError{
			Reason:  pipeline.ReasonUnknownCustomer,
			Message: fmt.Sprintf("customer %s is not registered", pipeline.Quote(string(ask.Customer))),
			Next:    f.renamedTo(ctx, ask.Customer),
		}
	}
	if err := customer.CheckOffboarded(ask.mode()); err != nil {
		return origin{}, err
	}
	if err := ask.checkStack(customer); err != nil {
		return origin{}, err
	}
	from := origin{customer: customer, event: pipeline.EventManual, mode: ask.mode(), only: ask.Environment, stack: ask.Stack, actor: ask.Actor, requesters: in.Requesters, qualified: customer.SharedRepository}
	from.id = pipeline.NewRequestID()
	if in.Run.ID != 0 {
		from.id = pipeline.ManualID(in.Manager, in.Run.ID, in.Run.Attempt)
	}
	if err := f.manualRepository(ctx, &from); err != nil || from.unseen != "" {
		return from, err
	}
	repo := from.repository
	from.commit = ask.Commit
	if from.commit == "" {
		var err error
		from.commit, err = f.GitHub.BranchHead(ctx, repo.Slug, repo.DefaultBranch)
		if pipeline.Gone(err) {
			return origin{}, &pipeline.RejectedError{Reason: pipeline.ReasonUnreachable, Message: fmt.Sprintf("the default branch %s of %s has no commit", repo.DefaultBranch, repo)}
		}
		if err != nil {
			return origin{}, fmt.Errorf("find the head of %s in %s: %w", repo.DefaultBranch, repo, err)
		}
	}
	return from, f.branch(ctx, pipeline.DispatchRequest{Commit: from.commit, Ref: "refs/heads/" + repo.DefaultBranch}, &from)
}

// checkStack refuses a stack that the customer does not have, and a destroy of one that is
// not named. A destroy may end a stack that the customer's file has left out since.
func (a ManualRequest) checkStack(c pipeline.Customer) error {
	stacks := c.StackNames()
	if a.Mode == pipeline.ModeDestroy {
		stacks = c.Manager.StackNames()
	}
	all := a.Stack == "" && a.Mode != pipeline.ModeDestroy
	if all || slices.Contains(stacks, a.Stack) {
		return nil
	}
	rejected := &pipeline.RejectedError{Reason: pipeline.ReasonNotAllowed, Message: fmt.Sprintf("customer %s has no stack %s", c.Name, pipeline.Quote(string(a.Stack))),
		Next: "start the workflow with one of the stacks " + pipeline.JoinNames(stacks)}
	switch {
	case slices.Contains(stacks, ""):
		rejected.Next = "start the workflow without a stack: metapipe.yml names none"
	case a.Stack == "":
		rejected.Message = fmt.Sprintf("mode destroy works on one stack at a time, and none is named for %s", a.target())
	}
	return rejected
}

// presentManager refuses to run a manual request again with an old commit of the
// manager. GitHub keeps the commit of a run for its re-runs, up to 30 days later, and a
// request that names no commit takes the newest one of the customer.
func (f *FetchVars) presentManager(ctx context.Context, in FetchInput) error {
	if in.Run.Attempt < 2 {
		return nil
	}
	refused := func(why string) error {
		return &pipeline.RejectedError{
			Reason:  pipeline.ReasonUnverified,
			Message: fmt.Sprintf("attempt %d of run %d would use commit %s of the manager again, and %s", in.Run.Attempt, in.Run.ID, in.ManagerCommit.Short(), why),
			Next:    "start the workflow anew on the default branch, and do not run an old run again",
		}
	}
	if f.Own == nil {
		return refused("whether that is still the newest one cannot be asked without GITHUB_TOKEN")
	}
	repo, err := f.Own.Repository(ctx, in.Manager)
	if err != nil {
		return fmt.Errorf("look up the manager's repository %s: %w", in.Manager, err)
	}
	head, err := f.Own.BranchHead(ctx, repo.Slug, repo.DefaultBranch)
	if err != nil {
		return fmt.Errorf("find the head of %s in %s: %w", repo.DefaultBranch, repo, err)
	}
	if head != in.ManagerCommit {
		return refused(fmt.Sprintf("%s is at %s now", repo.DefaultBranch, head.Short()))
	}
	return nil
}
