package pipeline

import (
	"context"
)

// RunCanceller stops runs of the manager's workflow.
type RunCanceller interface {
	// CancelRun asks GitHub to end a run; one that has ended is no error. With
	// force GitHub does not wait for its jobs, and skips those that always run.
	CancelRun(ctx context.Context, repo Slug, id int64, force bool) error
}
