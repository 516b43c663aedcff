package deploy

import (
	"context"
	"fmt"
	"time"

	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// compare holds the receipt against what is asked for and what stands around it now.
func (a *Applier) compare(receipt pipeline.Receipt, request pipeline.Request, in pipeline.TargetInput) error {
	target := in.Target().String()
	refuse := func(reason pipeline.Reason, format string, args ...any) error {
		refused := &pipeline.RefusedError{Reason: reason, Message: "the plan of " + target + " " + fmt.Sprintf(format, args...), Next: request.Mode.Afresh(), Operator: request.Mode.Restart()}
		if reason == pipeline.ReasonTampered {
			refused.Next, refused.Operator = pipeline.TamperedNext, pipeline.TamperedFinder
		}
		return refused
	}
	switch {
	case receipt.Request != request.ID || receipt.Customer != request.Customer || receipt.RepositoryID != request.Repository.ID:
		return refuse(pipeline.ReasonTampered, "carries the receipt of another request (%s of %s)", receipt.Request.Short(), receipt.Customer)
	case receipt.Mode != request.ModeOfReceipt():
		return refuse(pipeline.ReasonTampered, "carries a receipt of mode %q, and the request has mode %q", receipt.Mode, request.Mode)
	case receipt.Evidence.Properties() != request.Properties.Digest():
		return refuse(pipeline.ReasonTampered, "was made under other custom properties than those of the request")
	case receipt.Target() != in.Target():
		return refuse(pipeline.ReasonOtherEnvironment, "was made for %s", receipt.Target().Name())
	case receipt.Blob != request.Blob || receipt.Commit != request.Commit:
		return refuse(pipeline.ReasonStaleVariables, "was made from another %s (blob %s, the request has %s)", request.File, receipt.Blob.Short(), request.Blob.Short())
	case receipt.ManagerCommit != in.ManagerCommit:
		return refuse(pipeline.ReasonStaleManager, "was made from manager commit %s, and this is %s", receipt.ManagerCommit.Short(), in.ManagerCommit.Short())
	case receipt.Backend != in.Backend.String():
		return refuse(pipeline.ReasonStaleState, "was made against another state (%s, and this run uses %s)", receipt.Backend, in.Backend)
	case !a.Now().Before(receipt.Expires):
		return refuse(pipeline.ReasonExpired, "expired at %s", receipt.Expires.Format(time.RFC3339))
	}
	return nil
}

// checkOrder refuses to overtake: production is not touched while staging of the
// same request has not succeeded.
func (a *Applier) checkOrder(ctx context.Context, request pipeline.Request, in pipeline.TargetInput) error {
	for _, t := range request.Targets {
		if t.Target == in.Target() {
			return nil
		}
		if !request.Applies(t.Target) {
			continue
		}
		status, err := ledger.ReadEnd(ctx, a.records(), request, t.Target)
		if err != nil {
			return err
		}
		if status.Doubt != nil {
			return record.TamperedOr(status.Doubt, fmt.Sprintf("how %s ended, which comes before %s,", t, in.Target().Name()))
		}
		if !status.Result.Outcome.Succeeded() {
			return &pipeline.RefusedError{
				Reason:  pipeline.ReasonEnvironmentOrder,
				Message: fmt.Sprintf("%s comes before %s, and request %s has not succeeded there (%s)", t.Name(), in.Target().Name(), request.ID.Short(), status.Result.Outcome),
				Next:    "let " + t.Name() + " succeed first",
			}
		}
	}
	return nil
}

func checkNewest(ctx context.Context, s record.Records, request pipeline.Request, t pipeline.Target) error {
	newer, err := record.Superseding(ctx, s, request, t)
	if err != nil {
		return record.TamperedOr(err, fmt.Sprintf("the record of a newer request for %s", t))
	}
	if newer != "" {
		return pipeline.SupersededError(request, t, newer)
	}
	return nil
}

type gateReader interface {
	EnvironmentProtection(ctx context.Context, repo pipeline.Slug, environment string) (exists bool, reviewers, waitMinutes int, err error)
	Approvals(ctx context.Context, repo pipeline.Slug, run int64) ([]Approval, error)
	WorkflowRun(ctx context.Context, repo pipeline.Slug, id int64) (pipeline.WorkflowRun, error)
}

// Approval is what one reviewer said to the jobs of a run that waited for
// environments.
type Approval struct {
	Login        string           // of User
	User         pipeline.Account // unknown when the account was deleted
	Approved     bool
	Environments []string
}

// checkGate refuses when the environment that should hold the apply back does
// not: GitHub creates a misspelled environment silently, without any rule. It
// returns who approved.
func (a *Applier) checkGate(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, folder record.PlanAttempt) (approvers []pipeline.Account, err error) {
	rule, why := request.GateEnvironment(in)
	if a.Gate == nil && request.Mode == pipeline.ModeDestroy {
		return nil, &pipeline.RefusedError{
			Reason:   pipeline.ReasonMissingProtection,
			Message:  fmt.Sprintf("the destroy of %s needs an approval, and outside of GitHub Actions none can be on record", in.Target()),
			Next:     pipeline.ProviderNext,
			Operator: "approve it in the run of the request; see docs/ENDING.md",
		}
	}
	if a.Gate == nil || !rule.NeedsApproval() {
		return nil, nil
	}
	name := in.Target().Gate(pipeline.WorkApply)
	exists, reviewers, wait, err := a.Gate.EnvironmentProtection(ctx, in.Run.Repository, name)
	if err != nil {
		return nil, fmt.Errorf("read the protection rules of environment %s of %s: %w", name, in.Run.Repository, err)
	}
	if (rule.Gated || rule.PreventSelfReview) && (!exists || reviewers == 0) {
		lacks := "has no required reviewers"
		if !exists {
			lacks = "does not exist or cannot be seen with GITHUB_TOKEN, so that it has no required reviewers"
		}
		return nil, &pipeline.RefusedError{Reason: pipeline.ReasonMissingProtection, Message: fmt.Sprintf("%s, but environment %s of %s %s", why, name, in.Run.Repository, lacks),
			Next: pipeline.ProviderNext, Operator: "add required reviewers to it (Settings → Environments), then run the workflow again"}
	}
	if has := time.Duration(wait) * time.Minute; has < rule.WaitTimer {
		return nil, &pipeline.RefusedError{
			Reason:   pipeline.ReasonMissingProtection,
			Message:  fmt.Sprintf("metapipe.yml says that %s waits for %s, but the wait timer of environment %s of %s is %s", in.Environment, minutes(rule.WaitTimer), name, in.Run.Repository, minutes(has)),
			Next:     pipeline.ProviderNext,
			Operator: fmt.Sprintf("set its wait timer to %s (Settings → Environments), then run the workflow again", minutes(rule.WaitTimer)),
		}
	}
	if reviewers == 0 {
		return nil, nil
	}
	return a.approvers(ctx, in, request, folder, rule, name)
}

func minutes(d time.Duration) string { return fmt.Sprintf("%d min", int(d.Minutes())) }

// approvers are the people who let the run pass into the environment, without doubles,
// as GitHub spells them. A gated environment needs one on record: the rules of an
// environment can be bypassed, and a job without `environment:` meets none. The list
// has neither times nor attempts, so an approval by a requester counts against every
// attempt of the run.
// Source: https://docs.github.com/en/rest/actions/workflow-runs#get-the-review-history-for-a-workflow-run
func (a *Applier) approvers(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, folder record.PlanAttempt, rule pipeline.EnvironmentRule, name string) ([]pipeline.Account, error) {
	reviews, err := a.Gate.Approvals(ctx, in.Run.Repository, in.Run.ID)
	if err != nil {
		return nil, fmt.Errorf("read who approved run %d of %s: %w", in.Run.ID, in.Run.Repository, err)
	}
	var people []pipeline.Account
	unknown, approvals := false, 0
	for _, r := range reviews {
		if !r.Approved || !slices.ContainsFunc(r.Environments, func(e string) bool { return strings.EqualFold(e, name) }) {
			continue
		}
		approvals++
		if unknown = unknown || !r.User.Known(); r.User.Known() {
			people = pipeline.WithAccounts(people, r.User)
		}
	}
	target := in.Target().String()
	if rule.NeedsApproval() && approvals > 0 {
		if err := a.approvedThisPlan(ctx, in, request, folder, approvals); err != nil {
			return nil, err
		}
	}
	switch {
	case len(people) == 0 && unknown && (rule.Gated || rule.PreventSelfReview), unknown && rule.PreventSelfReview:
		return nil, &pipeline.RefusedError{
			Reason:   pipeline.ReasonMissingProtection,
			Message:  fmt.Sprintf("GitHub does not say which account approved the apply of %s in run %d of %s", target, in.Run.ID, in.Run.Repository),
			Next:     request.Mode.Afresh() + "; a reviewer approves with an account that exists",
			Operator: request.Mode.OperatorAfresh() + "; let a reviewer approve with an account that exists",
		}
	case len(people) == 0 && rule.PreventSelfReview:
		return nil, &pipeline.RefusedError{
			Reason:   pipeline.ReasonMissingProtection,
			Message:  fmt.Sprintf("no approval of the apply of %s is on record in run %d of %s, and the requester's own approval does not count", target, in.Run.ID, in.Run.Repository),
			Next:     pipeline.ProviderNext,
			Operator: "do not let administrators bypass the rules of environment " + name + "; then " + request.Mode.OperatorAfresh() + ", and let a reviewer approve",
		}
	case len(people) == 0 && rule.Gated:
		return nil, &pipeline.RefusedError{
			Reason:   pipeline.ReasonMissingProtection,
			Message:  fmt.Sprintf("no approval for environment %s is on record in run %d of %s, and %s needs one", name, in.Run.ID, in.Run.Repository, target),
			Next:     pipeline.ProviderNext,
			Operator: "make sure that the job has `environment: " + name + "` and that administrators do not bypass its rules; then " + request.Mode.OperatorAfresh() + ", and let a reviewer approve",
		}
	case !rule.PreventSelfReview:
		return people, nil
	}
	return people, a.othersApproved(ctx, in, request, target, people)
}

// approvedThisPlan refuses when each of the approvals may be one of another plan: an earlier
// one of the target, or one of another stack of the environment. The list of GitHub says
// neither which attempt of the run nor which job an approval was for.
func (a *Applier) approvedThisPlan(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, folder record.PlanAttempt, approvals int) error {
	others, err := record.ReadOtherApprovals(ctx, a.records(), request, folder, in.Run)
	if err != nil {
		return record.TamperedOr(err, "the other plans that wait for environment "+in.Target().Gate(pipeline.WorkApply)+" in this run")
	}
	if approvals > others.Count() {
		return nil
	}
	if others.Stacks > 0 {
		name := in.Target().Gate(pipeline.WorkApply)
		return &pipeline.RefusedError{
			Reason: pipeline.ReasonMissingProtection,
			Message: fmt.Sprintf("the approvals for environment %s on record in run %d of %s (%d) may all be for other plans of that run, also of other stacks of %s (%d): none is surely for %s",
				name, in.Run.ID, in.Run.Repository, approvals, in.Environment, others.Count(), in.Target()),
			Next: request.Mode.Afresh() + "; a reviewer must approve the plan of each stack",
			Operator: "make sure that each apply job has `environment: " + name + "`, that administrators do not bypass its rules, and that no two of these jobs wait at a time; then " +
				newRun(request.Mode, in.Run.ID),
		}
	}
	return &pipeline.RefusedError{
		Reason: pipeline.ReasonMissingProtection,
		Message: fmt.Sprintf("%s was planned again in run %d of %s after an earlier plan had waited for approval, and the approval on record may be for that one",
			in.Target(), in.Run.ID, in.Run.Repository),
		Next:     request.Mode.Afresh() + "; a reviewer must approve that plan",
		Operator: newRun(request.Mode, in.Run.ID),
	}
}

// newRun is what an operator does when the approvals of a run cannot be told apart.
func newRun(mode pipeline.Mode, run int64) string {
	start := "have the customer push again, or start a manual request, so that there is a new run"
	if mode == pipeline.ModeDestroy {
		start = "start the destroy in a new run"
	}
	return fmt.Sprintf("%s; running run %d again does not help, because GitHub does not say which attempt an approval was for", start, run)
}

// othersApproved refuses when someone who asked for the apply has approved it, or may
// have.
func (a *Applier) othersApproved(ctx context.Context, in pipeline.TargetInput, request pipeline.Request, target string, people []pipeline.Account) error {
	run, err := a.Gate.WorkflowRun(ctx, in.Run.Repository, in.Run.ID)
	if err != nil {
		return fmt.Errorf("read who started run %d of %s: %w", in.Run.ID, in.Run.Repository, err)
	}
	asked := pipeline.WithAccounts(slices.Clone(request.Requesters), run.Requesters()...)
	if len(request.Requesters) == 0 || slices.ContainsFunc(asked, func(account pipeline.Account) bool { return !account.Known() }) {
		return &pipeline.RefusedError{Reason: pipeline.ReasonSelfApproved, Message: fmt.Sprintf("GitHub reports no account that requested the apply of %s, so self-approval cannot be ruled out", target),
			Next: request.Mode.Afresh() + "; use an account that exists", Operator: request.Mode.OperatorAfresh() + ", from an account that exists"}
	}
	for _, account := range asked {
		at := slices.IndexFunc(people, func(approver pipeline.Account) bool { return approver.ID == account.ID })
		if at < 0 {
			continue
		}
		return &pipeline.RefusedError{
			Reason:   pipeline.ReasonSelfApproved,
			Message:  fmt.Sprintf("%s requested the apply of %s and approved it, but metapipe.yml requires another approver", people[at].Login, target),
			Next:     request.Mode.Afresh() + "; another reviewer must approve it",
			Operator: "let another reviewer approve: " + newRun(request.Mode, in.Run.ID),
		}
	}
	return nil
}
