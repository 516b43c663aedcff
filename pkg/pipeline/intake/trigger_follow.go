package intake

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/metapipe/metapipe/pkg/pipeline"
)

// TargetStatus is how far a request has come at one target.
type TargetStatus struct {
	Name        string // of the target: "staging", or "staging/network"
	State       pipeline.StatusState
	Description string // without the request's id
	// Waits: the event asks for an apply, and the target has ended without one, though it
	// has changes. Someone must start the apply.
	Waits bool

	leavesNothing bool
}

// follow watches the customer's own commit: the manager writes the request id
// into each status of the request.
func (t *Trigger) follow(ctx context.Context, in TriggerInput, id pipeline.RequestID, statusContext string) (TriggerResult, error) {
	repo, head := in.Event.Repository.Slug, in.Event.Head
	result := TriggerResult{Request: id, Outcome: pipeline.OutcomeRequested}
	started := t.Now()
	pause, logged, picked := 250*time.Millisecond, "", false
	result.Stage = stagePickedUp
	var watch stageWatch
	for {
		statuses, err := t.Own.Statuses(ctx, repo, head)
		if err != nil {
			return result, fmt.Errorf("watch the status of %s in %s: %w", head.Short(), repo, err)
		}
		status, shown := pipeline.StatusOf(statuses, statusContext, id)
		if picked && !shown {
			return result, &pipeline.WaitingError{Stage: "end", Message: fmt.Sprintf("the statuses of %s now show another request than %s", head.Short(), id.Short()),
				Next: "a newer request for the same commit has taken its place: see its run"}
		}
		picked = shown
		if picked {
			result.RunURL = status.TargetURL
			result.Description, result.Targets = strings.TrimSuffix(status.Description, pipeline.RequestTag(id)), targetsOf(statuses, statusContext, id)
			if status.Description != logged {
				logged = status.Description
				t.Logf("%s", logged)
			}
			if status.State != pipeline.StatusPending {
				result.Stage = stageEnd
				return t.ended(ctx, in, result, status, statuses)
			}
			if now := stageOf(statuses, statusContext, id); watch.see(now, t.Now()) {
				t.Logf("%s", now)
			}
			result.Stage = watch.at.name
		}
		waited := t.Now().Sub(started)
		switch {
		case !picked && waited >= in.Pickup:
			return result, t.notPickedUp(ctx, in, id, statusContext)
		case picked && in.Wait == 0:
			return result, nil
		case picked:
			if err := watch.late(in, id, waited, t.Now()); err != nil {
				return result, err
			}
		}
		if err := t.Sleep(ctx, pause); err != nil {
			return result, err
		}
		pause = min(pause*3/2, t.MaxPause)
	}
}

func (t *Trigger) notPickedUp(ctx context.Context, in TriggerInput, id pipeline.RequestID, statusContext string) error {
	t.close(ctx, in, id, statusContext, fmt.Sprintf("Not picked up by %s within %s", in.Manager, in.Pickup))
	waiting := &pipeline.WaitingError{Stage: "picked-up", Message: fmt.Sprintf("request %s was not picked up by %s within %s", id.Short(), in.Manager, in.Pickup),
		Next: "check that the manager's workflow listens to repository_dispatch type " + pipeline.DispatchEvent + " on its default branch, then run this job again"}
	if in.Inbox != (pipeline.Slug{}) {
		waiting.Next = fmt.Sprintf("ask the provider whether the run of %s has forwarded it: a run that waits or has failed forwards nothing, and the signature lasts some minutes only; then run this job again", in.Inbox)
	}
	return waiting
}

// close ends the overall status of a request that the manager has not answered;
// an answer that has come at the last moment stays.
func (t *Trigger) close(ctx context.Context, in TriggerInput, id pipeline.RequestID, statusContext, why string) {
	repo, head := in.Event.Repository.Slug, in.Event.Head
	statuses, err := t.Own.Statuses(ctx, repo, head)
	if _, answered := pipeline.StatusOf(statuses, statusContext, id); err == nil && answered {
		return
	}
	err = t.Own.SetStatus(ctx, repo, head, pipeline.Status{Context: statusContext, State: pipeline.StatusError, Description: pipeline.WithRequestTag(why, id), TargetURL: in.Run.URL}, statuses)
	if err != nil {
		t.Logf("could not post the status: %v", err)
	}
}

func (t *Trigger) ended(ctx context.Context, in TriggerInput, result TriggerResult, status pipeline.Status, statuses []pipeline.Status) (TriggerResult, error) {
	if status.State != pipeline.StatusSuccess {
		result.Outcome = pipeline.OutcomeFailed
		return result, &pipeline.FailedError{Message: fmt.Sprintf("request %s: %s", result.Request.Short(), status.Description), Next: "see " + status.TargetURL}
	}
	result.Outcome = pipeline.OutcomePlanned
	for i, target := range result.Targets {
		result.Targets[i].Waits = pipeline.ModeOf(in.Event.Name) == pipeline.ModeApply && !target.leavesNothing
	}
	if pipeline.ModeOf(in.Event.Name).Reduce(in.Mode) != pipeline.ModeApply {
		return result, nil
	}
	return t.outputs(ctx, in, result, statuses)
}

// outputs reads what each target of the request put out. A target without
// changes, or one that was only planned, has no deployment of this request: the newest one holds.
func (t *Trigger) outputs(ctx context.Context, in TriggerInput, result TriggerResult, statuses []pipeline.Status) (TriggerResult, error) {
	repo := in.Event.Repository.Slug
	result.Outcome, result.Outputs = pipeline.OutcomeNoChanges, map[string]map[string]string{}
	if slices.ContainsFunc(result.Targets, func(target TargetStatus) bool { return target.Waits }) {
		result.Outcome = pipeline.OutcomePlanned
	}
	failed := func(err error) error {
		return fmt.Errorf("read the outputs of request %s: %w", result.Request.Short(), err)
	}
	made, err := t.Own.CommitDeployments(ctx, repo, in.Event.Head)
	if err != nil {
		return result, failed(err)
	}
	request := in.request()
	for _, s := range targetsOf(statuses, request.StatusContext(pipeline.Target{}), result.Request) {
		target, err := request.Customer.ParseName(s.Name)
		if err != nil { // the manager writes no such status
			continue
		}
		to := request.DeploymentEnvironment(target)
		d, ok := deploymentOf(made, result.Request, to)
		if ok {
			result.Outcome = pipeline.OutcomeApplied
		} else {
			newest, err := t.Own.Deployments(ctx, repo, "", to)
			if err != nil {
				return result, failed(err)
			}
			if d, ok = newestSuccess(newest); !ok {
				continue
			}
		}
		result.Outputs[s.Name] = d.Payload.Outputs
		if left := d.Payload.LeftOut; len(left) > 0 {
			t.Logf("GitHub had no room for these outputs of %s: %s", s.Name, pipeline.PlainLine(strings.Join(left, ", ")))
		}
	}
	return result, nil
}

// deploymentOf is the deployment of a request to an environment. It is made when the
// apply is done, so its state says no more.
func deploymentOf(list []pipeline.Deployment, id pipeline.RequestID, environment string) (pipeline.Deployment, bool) {
	i := slices.IndexFunc(list, func(d pipeline.Deployment) bool {
		return d.Payload.Request == id && d.Environment == environment && d.Payload.Environment != ""
	})
	if i < 0 {
		return pipeline.Deployment{}, false
	}
	return list[i], true
}

// targetsOf are the targets of a request as its statuses show them, by their names.
func targetsOf(statuses []pipeline.Status, overall string, id pipeline.RequestID) []TargetStatus {
	var all []TargetStatus
	for _, s := range statuses {
		name, ok := strings.CutPrefix(s.Context, overall+"/")
		says, ours := strings.CutSuffix(s.Description, pipeline.RequestTag(id))
		if ok && ours {
			all = append(all, TargetStatus{Name: name, State: s.State, Description: says, leavesNothing: s.LeavesNothing()})
		}
	}
	slices.SortFunc(all, func(a, b TargetStatus) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func newestSuccess(newestFirst []pipeline.Deployment) (pipeline.Deployment, bool) {
	for _, d := range newestFirst {
		if d.State == "success" && d.Payload.Environment != "" {
			return d, true
		}
	}
	return pipeline.Deployment{}, false
}
