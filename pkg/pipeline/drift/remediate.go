package drift

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/ledger"
	"github.com/metapipe/metapipe/pkg/pipeline/record"
)

// DeployWorkflow is the manager's workflow that carries a request out.
const DeployWorkflow = "infra-deploy.yml"

// Remediator asks for an apply where a scan found something and the manager's rules
// allow it. It applies nothing itself: the request that it starts is planned,
// gated and applied as any other.
type Remediator struct {
	Store  pipeline.Store
	Sealer pipeline.Sealer
	GitHub workflowStarter
}

type workflowStarter interface {
	Repository(ctx context.Context, repo pipeline.Slug) (pipeline.Repository, error)
	// StartWorkflow starts a workflow by workflow_dispatch.
	StartWorkflow(ctx context.Context, repo pipeline.Slug, file, branch string, inputs map[string]string) error
}

// Remediation is one target that a request was started for, or why it was not.
type Remediation struct {
	pipeline.Target
	Started bool   `json:"started"`
	Reason  string `json:"reason,omitempty"` // not started
}

// Run starts the requests. A target that has an open request gets no second one: it
// would only supersede the first.
func (r Remediator) Run(ctx context.Context, manager pipeline.Slug, scan Scan, customers []pipeline.Customer) ([]Remediation, error) {
	var todo []Result
	for _, result := range scan.Results {
		i := slices.IndexFunc(customers, func(c pipeline.Customer) bool { return c.Name == result.Customer })
		if i >= 0 && !customers[i].Offboarded && result.hasRemedy() && customers[i].Manager.Drift.MayRemediate(result.Environment) {
			todo = append(todo, result)
		}
	}
	if len(todo) == 0 {
		return nil, nil
	}
	// A workflow started elsewhere than on the default branch is refused.
	repo, err := r.GitHub.Repository(ctx, manager)
	if err != nil {
		return nil, fmt.Errorf("look up the manager's repository: %w", err)
	}
	var done []Remediation
	var failed []error
	for _, result := range todo {
		if err := ctx.Err(); err != nil {
			return done, errors.Join(append(failed, err)...)
		}
		one := Remediation{Target: result.Target}
		one.Reason, err = r.against(ctx, result)
		if err == nil && one.Reason == "" {
			inputs := map[string]string{"customer": string(result.Customer), "environment": string(result.Environment), "mode": string(pipeline.ModeApply)}
			if result.Stack != "" {
				inputs["stack"] = string(result.Stack)
			}
			err = r.GitHub.StartWorkflow(ctx, repo.Slug, DeployWorkflow, repo.DefaultBranch, inputs)
			one.Started = err == nil
		}
		if err != nil { // of this target: the others are asked for all the same
			one.Reason = err.Error()
			failed = append(failed, fmt.Errorf("ask for an apply of %s: %w", result.Target, err))
		}
		done = append(done, one)
	}
	return done, errors.Join(failed...)
}

// hasRemedy reports whether an apply would bring the target to what it should be. It would build a lost
// state anew, and what a property has switched off is not planned.
func (r Result) hasRemedy() bool {
	return len(r.Kinds) > 0 && r.Failure == nil && !slices.ContainsFunc(r.Kinds, func(k pipeline.DriftKind) bool { return k == pipeline.DriftLost || k == pipeline.DriftAbandoned })
}

// against says why a target gets no request, "" where it gets one. What a summary
// reports when it is run again may have been put right since.
func (r Remediator) against(ctx context.Context, result Result) (string, error) {
	last, found, err := record.LoadLastApply(ctx, record.Records{Store: r.Store, Sealer: r.Sealer}, result.Target)
	if err != nil {
		return "", err
	}
	if found && last.At.After(result.CheckedAt) {
		return "it was applied since the scan looked at it", nil
	}
	return r.open(ctx, result)
}

// open says which request for the target has not ended, "" where all have. A request
// that is closed stays queued, also for targets that it never came to, so that only the
// newest of those that are open counts, and it only when none was queued after it.
func (r Remediator) open(ctx context.Context, result Result) (string, error) {
	s := record.Records{Store: r.Store, Sealer: r.Sealer}
	entries, err := record.OpenEntries(ctx, s, record.OpenPrefix(result.Customer))
	if err != nil {
		return "", err
	}
	queue := record.QueueOf(result.Target)
	for _, entry := range slices.Backward(entries) {
		request, err := entry.Load(ctx, s)
		if errors.Is(err, pipeline.ErrNotFound) || err == nil && !queue.Holds(request) {
			continue // its first job died before it wrote it, or it does not apply here
		}
		if err != nil {
			return "", err
		}
		if _, newer, err := queue.Newest(ctx, s, request, nil); err != nil || newer {
			return "", err
		}
		status, err := ledger.ReadTargetStatus(ctx, s, request, result.Target)
		if err != nil || status.Result.Outcome.Final() {
			return "", err
		}
		return fmt.Sprintf("request %s is open (%s)", request.ID.Short(), status.Result.Outcome), nil
	}
	return "", nil
}
