package pipeline

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

type gateReader interface {
	EnvironmentProtection(ctx context.Context, repo Slug, environment string) (exists bool, reviewers, waitMinutes int, err error)
	Approvals(ctx context.Context, repo Slug, run int64) ([]Approval, error)
}

// Approval is what one reviewer said to the jobs of a run that waited for
// environments.
type Approval struct {
	Login        string  // of User
	User         Account // unknown when the account was deleted
	Approved     bool
	Environments []string
}

// gated reports whether anything holds an apply to the environment back.
func (r EnvironmentRule) gated() bool { return r.Gated || r.Wait > 0 || r.RequesterMayNotApprove }

// checkGate refuses when the environment that should hold the apply back does
// not: GitHub creates a misspelt environment silently, without any rule. It
// returns who approved.
func (a *Applier) checkGate(ctx context.Context, in TargetInput, request Request) (approvers []string, err error) {
	rule, _ := in.Customer.Manager.Rule(in.Environment)
	if a.Gate == nil || !rule.gated() {
		return nil, nil
	}
	name := string(in.Environment) + "-apply"
	exists, reviewers, wait, err := a.Gate.EnvironmentProtection(ctx, in.Run.Repository, name)
	if err != nil {
		return nil, fmt.Errorf("read the protection rules of environment %s of %s: %w", name, in.Run.Repository, err)
	}
	if (rule.Gated || rule.RequesterMayNotApprove) && (!exists || reviewers == 0) {
		return nil, &RefusedError{Reason: ReasonUngated, Message: fmt.Sprintf("metapipe.yml says that %s is gated, but environment %s of %s has no required reviewers", in.Environment, name, in.Run.Repository),
			Next: "add required reviewers to it (Settings → Environments), then run the workflow again"}
	}
	if has := time.Duration(wait) * time.Minute; has < rule.Wait {
		return nil, &RefusedError{Reason: ReasonUngated, Message: fmt.Sprintf("metapipe.yml says that %s waits for %s, but the wait timer of environment %s of %s is %s", in.Environment, minutes(rule.Wait), name, in.Run.Repository, minutes(has)),
			Next: fmt.Sprintf("set its wait timer to %s (Settings → Environments), then run the workflow again", minutes(rule.Wait))}
	}
	if reviewers == 0 {
		return nil, nil
	}
	return a.approvers(ctx, in, request, rule, name)
}

func minutes(d time.Duration) string { return fmt.Sprintf("%d min", int(d.Minutes())) }

// approvers are the people who let the run pass into the environment, without
// doubles, as GitHub spells them. The list has neither times nor attempts, so an approval by the
// requester counts against every attempt of the run.
// Source: https://docs.github.com/en/rest/actions/workflow-runs#get-the-review-history-for-a-workflow-run
func (a *Applier) approvers(ctx context.Context, in TargetInput, request Request, rule EnvironmentRule, name string) ([]string, error) {
	reviews, err := a.Gate.Approvals(ctx, in.Run.Repository, in.Run.ID)
	if err != nil {
		return nil, fmt.Errorf("read who approved run %d of %s: %w", in.Run.ID, in.Run.Repository, err)
	}
	var logins []string
	for _, r := range reviews {
		here := slices.ContainsFunc(r.Environments, func(e string) bool { return strings.EqualFold(e, name) })
		known := slices.ContainsFunc(logins, func(l string) bool { return strings.EqualFold(l, r.Login) })
		if r.Approved && here && !known {
			logins = append(logins, r.Login)
		}
	}
	if !rule.RequesterMayNotApprove {
		return logins, nil
	}
	target := fmt.Sprintf("%s/%s", request.Customer, in.Environment)
	switch {
	case len(logins) == 0:
		return nil, &RefusedError{Reason: ReasonUngated, Message: fmt.Sprintf("nobody is on record for approving the apply of %s in run %d of %s, and the requester's own approval does not count", target, in.Run.ID, in.Run.Repository),
			Next: "do not let administrators bypass the rules of environment " + name + "; then push again and let a reviewer approve"}
	case request.Actor == "":
		return nil, &RefusedError{Reason: ReasonSelfApproved, Message: fmt.Sprintf("GitHub does not say who asked for the apply of %s, so nobody can be seen to be somebody else", target),
			Next: "push again from an account that exists"}
	case slices.ContainsFunc(logins, func(l string) bool { return strings.EqualFold(l, request.Actor) }):
		return nil, &RefusedError{Reason: ReasonSelfApproved, Message: fmt.Sprintf("%s asked for the apply of %s and approved it, and metapipe.yml wants somebody else to approve", request.Actor, target),
			Next: fmt.Sprintf("push again, and let somebody else approve; running run %d again does not help, since GitHub does not tell which attempt an approval was for", in.Run.ID)}
	}
	return logins, nil
}
