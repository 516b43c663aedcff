package pipeline

import (
	"context"
	"errors"
)

func (r *Reporter) statuses(ctx context.Context, report Report) error {
	request := report.Request
	// Requests for one commit share its statuses: the newest that works on a
	// target has the say over the target's, and the newest of all over the rest.
	newer, found, err := commitOf(request).newest(ctx, r.records(), request, nil)
	if err != nil {
		return err
	}
	var errs []error
	for _, t := range report.Targets {
		taken, err := r.taken(ctx, request, newer, t.Environment)
		if err != nil || taken {
			errs = append(errs, err)
		} else {
			errs = append(errs, r.status(ctx, report, t.Environment, t.Outcome.Status(), t.receiptURL()))
		}
	}
	// The overall status comes last: who waits for it finds the others final.
	if !found {
		errs = append(errs, r.status(ctx, report, "", report.Overall(), request.ManagerRun.URL))
	} else {
		r.Tell("request %s is newer: it has the statuses of %s", newer.ID.Short(), request.Commit.Short())
	}
	return errors.Join(errs...)
}

// status posts the status of env, or with an empty env that of the whole request.
func (r *Reporter) status(ctx context.Context, report Report, env Environment, state StatusState, url string) error {
	request := report.Request
	s := Status{Context: request.StatusContext(env), State: state, Description: tagged(r.Renderer.Status(report, env), request.ID), TargetURL: url}
	return partFailed(r.GitHub.SetStatus(ctx, request.Repository.Slug, request.Commit, s), "post status %s on %s of %s", s.Context, request.Commit.Short(), request.Repository)
}

// taken reports whether a newer request for the commit works on env: newest is the
// newest of all, the zero Request when there is none.
func (r *Reporter) taken(ctx context.Context, request, newest Request, env Environment) (bool, error) {
	if newest.ID == "" || newest.worksOn(env) {
		return newest.ID != "", nil
	}
	_, found, err := commitOf(request).newest(ctx, r.records(), request, func(o Request) bool { return o.worksOn(env) })
	return found, err
}

// deployments creates the deployment that carries the outputs of each applied
// target.
func (r *Reporter) deployments(ctx context.Context, report Report) error {
	request := report.Request
	var errs []error
	for _, t := range report.Targets {
		if t.Outcome != OutcomeApplied {
			continue
		}
		outputs := map[string]string{}
		for _, o := range t.Outputs {
			if !o.Sensitive {
				outputs[o.Name] = o.Value
			}
		}
		// Outputs reach the customer also while the ledger cannot be read.
		head, anchorErr := r.anchor(ctx, request, t)
		errs = append(errs, anchorErr)
		_, err := r.GitHub.CreateDeployment(ctx, request.Repository.Slug, Deployment{
			SHA: request.Commit, Ref: string(request.Commit), Environment: request.DeploymentEnvironment(t.Environment),
			Description: r.Renderer.Status(report, t.Environment), State: "success", LogURL: t.RunURL,
			Payload: DeploymentPayload{Request: request.ID, Customer: request.Customer, Environment: t.Environment, Outcome: t.Outcome, Outputs: outputs,
				Ledger: head, Receipt: t.Receipt},
		})
		errs = append(errs, partFailed(err, "create deployment %s of %s, which carries the outputs", request.DeploymentEnvironment(t.Environment), request.Repository))
	}
	return errors.Join(errs...)
}
