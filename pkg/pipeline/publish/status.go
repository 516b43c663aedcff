package publish

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// commitStatuses is what a report knows of the statuses of its commit.
type commitStatuses struct {
	// known are those that the commit had when the report began, nil where no one knows.
	// What it has already is not written again. Another report may write in between: the
	// last report of a run, and the sweep, look again when no other one is under way.
	known []pipeline.Status
	// undeployed are the applied targets without a deployment.
	undeployed []pipeline.Target
	// newest is the newest request for the commit after this one; the zero Request when
	// there is none.
	newest pipeline.Request
	err    error // newest is not known
}

// environments posts the status of each environment. Requests for one commit share its
// statuses: the newest that works on a target has the say over the target's, and the
// newest of all over the rest.
func (r *Reporter) environments(ctx context.Context, report pipeline.Report, statuses *commitStatuses) error {
	request := report.Request
	statuses.newest, _, statuses.err = record.CommitOf(request).Newest(ctx, r.records(), request, nil)
	if statuses.err != nil {
		return statuses.err
	}
	var errs []error
	for _, t := range report.Targets {
		taken, err := r.taken(ctx, request, statuses.newest, t.Target)
		if err != nil || taken {
			errs = append(errs, err)
			continue
		}
		url := t.ReceiptURL()
		if slices.Contains(statuses.undeployed, t.Target) {
			url = t.UndeployedURL()
		}
		errs = append(errs, r.status(ctx, report, t.Target, t.Outcome.Status(), url, statuses.known))
	}
	return errors.Join(errs...)
}

// overall posts the status of the whole request.
func (r *Reporter) overall(ctx context.Context, report pipeline.Report, statuses *commitStatuses) error {
	request := report.Request
	if statuses.err != nil { // environments has returned it
		return nil
	}
	if newer := statuses.newest; newer.ID != "" {
		r.Logf("request %s is newer: it has the statuses of %s", newer.ID.Short(), request.Commit.Short())
		return nil
	}
	return r.status(ctx, report, pipeline.Target{}, report.Overall(), request.ManagerRun.URL, statuses.known)
}

// status posts the status of a target, or without one that of the whole request, unless it
// is among known.
func (r *Reporter) status(ctx context.Context, report pipeline.Report, t pipeline.Target, state pipeline.StatusState, url string, known []pipeline.Status) error {
	request := report.Request
	s := pipeline.Status{Context: request.StatusContext(t), State: state, Description: pipeline.WithRequestTag(r.Renderer.Status(report, t), request.ID), TargetURL: url}
	return pipeline.PartFailed(r.GitHub.SetStatus(ctx, request.Repository.Slug, request.Commit, s, known), "post status %s on %s of %s", s.Context, request.Commit.Short(), request.Repository)
}

// taken reports whether a newer request for the commit works on t: newest is the
// newest of all, the zero Request when there is none.
func (r *Reporter) taken(ctx context.Context, request, newest pipeline.Request, t pipeline.Target) (bool, error) {
	if newest.ID == "" || newest.WorksOn(t) {
		return newest.ID != "", nil
	}
	_, found, err := record.CommitOf(request).Newest(ctx, r.records(), request, func(o pipeline.Request) bool { return o.WorksOn(t) })
	return found, err
}

// deployments creates the deployment that carries the outputs of each applied target. In
// the attempt of the run that has applied it, the target's status says whether a report has
// created it. Any other report looks, so that a deployment that was deleted is made again.
func (r *Reporter) deployments(ctx context.Context, in ReportInput, report collected, statuses *commitStatuses) error {
	request := report.Request
	var errs []error
	for i, t := range report.targets {
		if t.Outcome != pipeline.OutcomeApplied {
			continue
		}
		here := t.run.ID == in.Run.ID && t.run.Attempt == in.Run.Attempt
		// Customers can write statuses: whatever they say, the ledger gets its entry.
		head, err := r.anchor(ctx, request, t)
		if !here || !t.HasDeployment(statuses.known, request.StatusContext(t.Target)) { // outputs reach the customer also while the ledger cannot be read
			d := r.deployment(report.Report, t, head)
			d.First = here && !in.Final && firstAfterApply(report.targets[i:], request, statuses.known)
			err = errors.Join(err, r.deploy(ctx, request, d))
		}
		if err != nil {
			statuses.undeployed = append(statuses.undeployed, t.Target)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// firstAfterApply reports whether no report can have told of the apply of the first of
// targets, which are in order: its status still says that the apply has begun, and no other
// job has begun after its own. A report that was killed in between ends its job, so that no
// target after it begins and only a final report follows.
func firstAfterApply(targets []target, request pipeline.Request, known []pipeline.Status) bool {
	for _, later := range targets[1:] {
		if later.Outcome != pipeline.OutcomeRequested {
			return false
		}
	}
	return targets[0].ShownApplying(known, request.StatusContext(targets[0].Target))
}

// deployment is that of an applied target. Sensitive outputs are not in it.
func (r *Reporter) deployment(report pipeline.Report, t target, head *pipeline.LedgerHead) pipeline.Deployment {
	request, outputs := report.Request, map[string]string{}
	for _, o := range t.Outputs {
		if !o.Sensitive {
			outputs[o.Name] = o.Value
		}
	}
	return pipeline.Deployment{
		SHA: request.Commit, Ref: string(request.Commit), Environment: request.DeploymentEnvironment(t.Target),
		Description: r.Renderer.Status(report, t.Target), State: "success", LogURL: t.RunURL,
		Payload: pipeline.DeploymentPayload{Request: request.ID, Customer: request.Customer, Path: path.Dir(request.File), Environment: t.Environment, Stack: t.Stack, Outcome: t.Outcome, Outputs: outputs,
			Ledger: head, Receipt: t.digest},
	}
}

// smallOutputs is what outputs may have together in bytes where GitHub accepts no more:
// it does not say what its limit is.
const smallOutputs = 16 << 10

// deploy creates a deployment. Where its payload is larger than GitHub accepts, the
// largest outputs are left out and named: the apply is done all the same.
func (r *Reporter) deploy(ctx context.Context, request pipeline.Request, d pipeline.Deployment) error {
	create := func(d pipeline.Deployment) error {
		_, err := r.GitHub.CreateDeployment(ctx, request.Repository.Slug, d)
		return pipeline.PartFailed(err, "create deployment %s of %s, which carries the outputs", d.Environment, request.Repository)
	}
	err := create(d)
	all := d.Payload.Outputs
	for _, limit := range []int{smallOutputs, 0} {
		if cause, _ := pipeline.RefusalOf(err); cause != pipeline.CauseTooLarge || len(all) == 0 {
			break
		}
		d.Payload.Outputs, d.Payload.LeftOut = fittingOutputs(all, limit)
		err = create(d)
	}
	if err != nil || len(d.Payload.LeftOut) == 0 {
		return err
	}
	left := &pipeline.PermanentError{Cause: pipeline.CauseTooLarge, Err: errors.New("the payload of the deployment does not hold it")}
	return pipeline.PartFailed(left, "output %s of %s for %s", strings.Join(d.Payload.LeftOut, ", "), d.Payload.Environment, request.Repository)
}

// fittingOutputs keeps as many outputs as fit into limit bytes, the smallest first, and
// names the others.
func fittingOutputs(all map[string]string, limit int) (kept map[string]string, left []string) {
	kept = map[string]string{}
	cost := func(name string) int { return len(name) + len(all[name]) }
	for _, name := range slices.SortedFunc(maps.Keys(all), func(a, b string) int { return cmp.Or(cost(a)-cost(b), strings.Compare(a, b)) }) {
		if limit -= cost(name); limit < 0 {
			left = append(left, name)
			continue
		}
		kept[name] = all[name]
	}
	slices.Sort(left)
	return kept, left
}
