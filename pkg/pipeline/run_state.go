package pipeline

import (
	"context"
	"fmt"
	"time"
)

// LongestRun is more than any run of GitHub takes, with the jobs that wait for reviewers.
// Source: https://docs.github.com/en/actions/reference/limits
const LongestRun = 36 * 24 * time.Hour

// RunReader asks GitHub for the manager's own runs.
type RunReader interface {
	WorkflowRun(ctx context.Context, repo Slug, id int64) (WorkflowRun, error)
	Repository(ctx context.Context, repo Slug) (Repository, error)
	// ListsRuns is nil when the token can list the runs of a repository.
	ListsRuns(ctx context.Context, repo Slug) error
}

// conclusionDeleted is the conclusion of a run that GitHub does not have any more.
const conclusionDeleted = "deleted"

// FindRun reads a run of the manager. One that GitHub does not show counts as deleted
// only when the same token reads the repository that the run was in, by its id, and
// lists its runs. Otherwise the run may go on where this token cannot see it: that is
// a *RefusedError, and nothing may be touched.
func FindRun(ctx context.Context, runs RunReader, manager Repository, run Run) (WorkflowRun, error) {
	if runs == nil {
		return WorkflowRun{}, Usagef("whether run %d is over cannot be asked", run.ID).
			Nextf("set GITHUB_TOKEN to a token that may read the actions of %s", run.Repository.String())
	}
	id := run.RepositoryID
	if id == 0 && run.Repository.Equal(manager.Slug) {
		id = manager.ID
	}
	now, err := runs.WorkflowRun(ctx, run.Repository, run.ID)
	switch {
	case err == nil && id != 0 && now.RepoID != 0 && now.RepoID != id:
		return WorkflowRun{}, cannotAsk(run, fmt.Sprintf("%s has the id %d now, and the run was in the repository with the id %d", run.Repository, now.RepoID, id))
	case err == nil:
		return now, nil
	case !NotVisible(err) && !Gone(err):
		return WorkflowRun{}, fmt.Errorf("look up run %d of %s: %w", run.ID, run.Repository, err)
	case id == 0:
		return WorkflowRun{}, cannotAsk(run, fmt.Sprintf("GitHub does not show it, and the id of %s is not on record", run.Repository))
	}
	repo, err := runs.Repository(ctx, run.Repository)
	switch {
	case NotVisible(err) || Gone(err):
		return WorkflowRun{}, cannotAsk(run, fmt.Sprintf("the token does not see %s", run.Repository))
	case err != nil:
		return WorkflowRun{}, fmt.Errorf("look up the repository of run %d: %w", run.ID, err)
	case repo.ID != id:
		return WorkflowRun{}, cannotAsk(run, fmt.Sprintf("%s has the id %d now, and the run was in the repository with the id %d", repo.Slug, repo.ID, id))
	}
	if err := runs.ListsRuns(ctx, run.Repository); err != nil {
		return WorkflowRun{}, cannotAsk(run, fmt.Sprintf("the token cannot list the runs of %s (%v)", run.Repository, err))
	}
	return WorkflowRun{ID: run.ID, Status: "completed", Conclusion: conclusionDeleted}, nil
}

func cannotAsk(run Run, why string) error {
	return LockRefused(fmt.Sprintf("whether run %d of %s is over cannot be asked: %s", run.ID, run.Repository, why),
		"use a GITHUB_TOKEN that can read "+run.Repository.String()+" and its actions, and run this again; nothing was changed")
}

// RunHasEnded asks GitHub whether an attempt of a run can do anything any more.
func RunHasEnded(ctx context.Context, runs RunReader, manager Repository, run Run) (over bool, why string, err error) {
	now, err := FindRun(ctx, runs, manager, run)
	switch {
	case err != nil:
		return false, "", err
	case now.Conclusion == conclusionDeleted:
		return true, "the run was deleted", nil
	case now.Status == "completed":
		return true, "the run is " + now.Conclusion, nil
	case now.Attempt > run.Attempt:
		return true, fmt.Sprintf("attempt %d of the run has begun", now.Attempt), nil
	}
	return false, "the run is " + now.Status, nil
}
