package pipelinetest

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/metapipe/metapipe/pkg/pipeline"
	"github.com/metapipe/metapipe/pkg/pipeline/deploy"
)

func (h *Hub) RunAttempt(ctx context.Context, repo pipeline.Slug, id int64, attempt int) (pipeline.WorkflowRun, error) {
	for _, run := range h.Attempts[id] {
		if run.Attempt == attempt {
			return run, nil
		}
	}
	return h.WorkflowRun(ctx, repo, id)
}

func (h *Hub) WorkflowRun(_ context.Context, repo pipeline.Slug, id int64) (pipeline.WorkflowRun, error) {
	h.Reads++
	run, ok := h.Runs[id]
	if !ok || repo.Equal(ManagerSlug) && h.ManagerError != nil {
		return pipeline.WorkflowRun{}, NotVisible()
	}
	return run, nil
}

func (h *Hub) ListsRuns(context.Context, pipeline.Slug) error {
	return errors.Join(h.ManagerError, h.ListError)
}

func (h *Hub) Dispatch(_ context.Context, to pipeline.Slug, _ string, payload json.RawMessage) error {
	if h.DispatchError != nil {
		return h.DispatchError
	}
	h.Dispatched, h.DispatchedTo = append(h.Dispatched, payload), append(h.DispatchedTo, to)
	return nil
}

func (h *Hub) CancelRun(_ context.Context, _ pipeline.Slug, id int64, force bool) error {
	h.Cancelled = append(h.Cancelled, id)
	if force {
		h.Forced = append(h.Forced, id)
	}
	return nil
}

func (h *Hub) PendingEnvironments(context.Context, pipeline.Slug, int64) ([]string, error) {
	return []string{"staging-apply"}, nil
}

func (h *Hub) EnvironmentProtection(context.Context, pipeline.Slug, string) (bool, int, int, error) {
	return h.Reviewers > 0, h.Reviewers, h.WaitMinutes, nil
}

func (h *Hub) Approvals(context.Context, pipeline.Slug, int64) ([]deploy.Approval, error) {
	return h.ApprovalList, nil
}
